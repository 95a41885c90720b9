"""An event loop whose clock and whose order of events are its own: only the database answers in real time."""

import asyncio
import selectors
import time
from typing import Any, Protocol

_A_MOMENT = 0.002
"""Real seconds to wait for PostgreSQL before asking whether the statement waits for a lock."""


class Steering(Protocol):
    """Decides what happens next whenever nothing can go on by itself."""

    def awaits_database(self) -> bool:
        """Whether a statement is being executed: nothing else may happen until it answers."""

    def unanswered(self) -> None:
        """Called when the database has not answered for a moment."""

    def at_rest(self, until_timer: float | None) -> None:
        """Let something happen: give a process a turn, or move the clock, at most to the next timer."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs as any loop does until it is steered; then time passes only as the steering says.

    Callbacks that are ready run before sockets are looked at, and sockets only while a statement is being
    executed, so that the machine's speed decides nothing.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.steering: Steering | None = None
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        steering = self._loop.steering
        if steering is None:
            began = time.perf_counter()
            events = super().select(timeout)
            self._loop.now += time.perf_counter() - began
            return events
        if timeout == 0:
            return []
        if steering.awaits_database():
            events = super().select(_A_MOMENT)
            if not events:
                steering.unanswered()
            return events
        steering.at_rest(timeout)
        return []
