"""The two consumers as processes of their own, started as an operator starts them."""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from harness.environments import environment_of
from harness.forked import ForkedProcess
from harness.waiting import TIMEOUT, eventually
from llamalog_service.settings import Settings


class ServiceProcess:
    """`llamalog consumer` or `llamalog migration-consumer` under a test's settings; restartable.

    Args:
        command: which of the two.
        settings: its environment.
        folder: for its log; it runs there too, so that no `.env` is read.
        sabotage: a fault of `harness.sabotage` to be planted in it.
    """

    def __init__(
        self,
        command: Literal["consumer", "migration-consumer"],
        settings: Settings,
        folder: Path,
        sabotage: str | None = None,
    ) -> None:
        self._module: str = "llamalog_service"
        self._words: list[str] = [command]
        if sabotage is not None:
            self._module, self._words = "harness.sabotage", [sabotage, command]
        self._settings = settings
        self._folder = folder
        self._log = folder / f"{command}-{id(self)}.log"
        self._process: ForkedProcess | None = None

    def start(self) -> None:
        self._process = ForkedProcess(
            self._module,
            self._words,
            environment=environment_of(self._settings),
            folder=self._folder,
            log=self._log,
        )

    @property
    def _started(self) -> ForkedProcess:
        assert self._process is not None
        return self._process

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._started.exit_code

    @property
    def pid(self) -> int:
        return self._started.pid

    def signal(self, number: signal.Signals) -> None:
        self._started.signal(number)

    def kill(self) -> None:
        """As the kernel does when memory runs out; returns when the process is gone."""
        self._started.kill()

    async def stop(self, within: float = TIMEOUT) -> int:
        """Stop it by SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended(within)

    async def ended(self, within: float = TIMEOUT) -> int:
        """Wait for its end; the exit code."""

        async def has_ended() -> bool:
            return self.exit_code is not None

        await eventually(has_ended, within)
        assert self.exit_code is not None
        return self.exit_code

    @property
    def output(self) -> str:
        """All that it ever wrote."""
        return self._log.read_text(errors="replace")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    async def logs_event(self, event: str, times: int = 1, within: float = TIMEOUT) -> None:
        """Wait until it has logged an event so many times."""

        async def has_logged() -> bool:
            assert self.exit_code is None, self.output
            return len(self.logged(event)) >= times

        await eventually(has_logged, within)


@asynccontextmanager
async def running(
    command: Literal["consumer", "migration-consumer"],
    settings: Settings,
    folder: Path,
    *,
    sabotage: str | None = None,
) -> AsyncIterator[ServiceProcess]:
    """A started process; what is left of it in the end is killed."""
    process = ServiceProcess(command, settings, folder, sabotage)
    process.start()
    try:
        yield process
    except BaseException:
        print(process.output[-4000:])
        raise
    finally:
        process.kill()
