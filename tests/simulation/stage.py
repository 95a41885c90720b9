"""Where scenarios are played: a loop and a database for as many as one likes, one after the other."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from structlog.testing import capture_logs

from simulation.database import Server
from simulation.loop import SimulatedLoop
from simulation.play import Played, play
from simulation.scenario import Scenario
from simulation.world import keep_tasks

Result = TypeVar("Result")


class Stage:
    """Plays scenarios on a migrated database of its own.

    Use it as a context manager, where no event loop is running.
    """

    def __init__(self, database_url: str) -> None:
        self._server = Server(database_url)
        self._runner = asyncio.Runner(loop_factory=SimulatedLoop)

    def __enter__(self) -> "Stage":
        self._runner.__enter__()
        loop = self._runner.get_loop()
        loop.set_task_factory(keep_tasks)
        loop.set_exception_handler(_silent_about_resets)
        self._run(self._server.open())
        return self

    def __exit__(self, *error: Any) -> None:
        self._run(self._server.close())
        self._runner.__exit__(*error)

    def play(self, scenario: Scenario) -> Played:
        return self.perform(lambda server: play(server, scenario))

    def perform(self, scene: Callable[[Server], Coroutine[Any, Any, Result]]) -> Result:
        """Do something else on this server."""
        with capture_logs():  # to write out what is logged takes longer than to play
            return self._run(scene(self._server))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)


def _silent_about_resets(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """That a session is reset with a transaction open is what a broken connection comes to."""
    if "Resetting connection" not in context["message"]:
        loop.default_exception_handler(context)
