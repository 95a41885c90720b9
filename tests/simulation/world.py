"""Who acts, in which order, and what goes wrong meanwhile: everything follows from the dice."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from operator import itemgetter
from random import Random
from typing import Any, TypeVar

import asyncpg

from simulation.faults import Fault, Late
from simulation.loop import SimulatedLoop

Result = TypeVar("Result")

MAX_STEPS = 6_000
STEPS_PER_MESSAGE = 40
"""A batch of one message takes some twenty, and faults have some repeated."""
_FIRST_LOOK = 0.006
"""Real seconds before a statement is asked after: longer than PostgreSQL takes to see a deadlock."""


class NeverSettledError(Exception):
    """The world did not come to rest."""


@dataclass(eq=False)
class Process:
    """A process of the world: what it has begun, and whether it is alive."""

    name: str
    is_dead: bool = False
    frozen_until: float = 0.0
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    at_death: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


current_process: ContextVar[Process | None] = ContextVar("current_process", default=None)


@dataclass(eq=False)
class _Turn:
    process: Process
    op: str
    what: str
    future: asyncio.Future[Fault | None]
    not_before: float

    def begins(self) -> float:
        """The earliest time at which it can be given."""
        return max(self.not_before, self.process.frozen_until)


@dataclass(eq=False)
class _Flight:
    """A statement being executed by PostgreSQL."""

    process: Process
    connection: asyncpg.Connection | None
    since: float
    waited_for_lock: bool = False
    patience: float = _FIRST_LOOK


class World:
    """Gives turns, moves the clock, lets faults befall steps.

    Args:
        late: the steps that often come late.
        blockers: asks PostgreSQL which sessions a session waits for.
        max_steps: after so many the run has not settled.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        dice: Random,
        faults: list[Fault],
        late: Late | None,
        blockers: Callable[[int], Awaitable[list[int]]],
        *,
        max_steps: int = MAX_STEPS,
    ) -> None:
        self.loop = loop
        self.dice = dice
        self.steps = 0
        self.trace: list[str] = []
        self.befallen: list[str] = []
        self.handlers: dict[str, Callable[[Process, Fault], Coroutine[Any, Any, None]]] = {}
        self.database_away_until = 0.0
        self.kafka_away_until = 0.0
        self.failed: asyncio.Future[None] = loop.create_future()
        self._pending = list(faults)
        self._max_steps = max_steps
        self._blockers = blockers
        self._waiting: list[_Turn] = []
        self._running: list[_Flight] = []
        self._blocked: list[_Flight] = []
        self._to_be_alone: list[tuple[str, asyncio.Future[None]]] = []
        self._landings: list[asyncio.Future[None]] = []
        self._asking: asyncio.Task[None] | None = None
        self._backstage: dict[asyncio.Task[Any], None] = {}
        self._pace: dict[str, float] = {}
        self._late = late
        self._style = dice.choice(["even", "uneven", "uneven", "one by one"])

    # What actors call

    async def turn(self, process: Process, op: str, what: str = "") -> Fault | None:
        """Wait for the turn; what befalls the step, if its caller is the one to make it happen."""
        if process.is_dead:
            raise asyncio.CancelledError
        waiting = _Turn(
            process, op, what, self.loop.create_future(), self.loop.now + self._hesitation(process, op, what)
        )
        self._waiting.append(waiting)
        try:
            return await waiting.future
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def execute(
        self,
        process: Process,
        action: Callable[[], Awaitable[Result]],
        connection: asyncpg.Connection | None = None,
    ) -> Result:
        """Have PostgreSQL execute a statement, alone but for those that wait for locks."""
        flight = _Flight(process, connection, time.perf_counter())
        self._running.append(flight)
        try:
            return await action()
        finally:
            (self._running if flight in self._running else self._blocked).remove(flight)
            self._look_at_blocked_again()
            self._wake_waiters()
            if flight.waited_for_lock and not process.is_dead:
                await self.alone(process.name)  # when it was let go depends on the machine
                await self.turn(process, "goes on")

    async def alone(self, rank: str = "") -> None:
        """Wait until everybody else stands still; of those who wait for it the least rank goes on first."""
        future = self.loop.create_future()
        self._to_be_alone.append((rank, future))
        await future

    async def die(self, process: Process) -> None:
        """From within a process: come to a sudden end, and never return."""
        self.backstage(self.kill(process))
        await self.loop.create_future()

    async def step(
        self,
        process: Process,
        op: str,
        what: str,
        action: Callable[[], Awaitable[Result]],
        failure: Callable[[], Exception],
    ) -> Result:
        """Do something in turn that may fail before or after it took effect, as may its process.

        Args:
            failure: makes the error that is raised where the step fails.
        """
        fault = await self.turn(process, op, what)
        if fault is not None and not fault.after:
            raise failure()
        result = await action()
        if fault is not None and fault.kind == "crash":
            await self.die(process)
        if fault is not None:
            raise failure()
        return result

    def backstage(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that no process does."""
        task = Context().run(self.loop.create_task, work)
        self._backstage[task] = None
        task.add_done_callback(lambda done: self._backstage.pop(done, None))
        task.add_done_callback(self._end_if_failed)

    async def end_backstage(self) -> None:
        """Cancel tasks without an owner."""
        while tasks := list(self._backstage):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def end(self, error: BaseException) -> None:
        """Have the run fail."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def _end_if_failed(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.end(error)

    async def kill(self, process: Process) -> None:
        """End a process as SIGKILL does: nothing that it does from now on has any effect."""
        if process.is_dead:
            return
        process.is_dead = True
        await self.until_nothing_runs(process)
        while tasks := list(process.tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for bury in process.at_death:
            await bury()

    async def until_nothing_runs(self, process: Process) -> None:
        """Let the statement of a process come to its end; one that waits for a lock loses its connection."""
        while any(flight.process is process for flight in self._running):
            await self._landed()
        for flight in [flight for flight in self._blocked if flight.process is process]:
            if flight.connection is not None:
                flight.connection.terminate()
            while flight in self._blocked or flight in self._running:  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def _landed(self) -> None:
        future = self.loop.create_future()
        self._landings.append(future)
        await future

    def _wake_waiters(self) -> None:
        landings, self._landings = self._landings, []
        for future in landings:
            future.set_result(None) if not future.done() else None

    def no_more_faults(self) -> None:
        self._pending.clear()
        self.database_away_until = self.kafka_away_until = 0.0

    def begin(self, process: Process, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have a process do something."""
        context = Context()
        context.run(current_process.set, process)
        task = context.run(self.loop.create_task, work)
        task.add_done_callback(self._end_if_failed)
        return task

    # What the loop calls

    def awaits_database(self) -> bool:
        return bool(self._running) or self._asking is not None

    def unanswered(self) -> None:
        now = time.perf_counter()
        suspects = [
            flight
            for flight in self._running
            if flight.waited_for_lock or now - flight.since > flight.patience
        ]
        if suspects and self._asking is None:
            self._asking = Context().run(self.loop.create_task, self._ask_for_locks(suspects))

    async def _ask_for_locks(self, suspects: list[_Flight]) -> None:
        for flight in suspects:
            if flight.connection is None or flight.connection.is_closed():
                continue
            flight.patience *= 2  # on a busy machine it is rather slow than locked
            backend = flight.connection.get_server_pid()
            if flight in self._running and await self._blockers(backend) and flight in self._running:
                flight.waited_for_lock = True
                self._running.remove(flight)
                self._blocked.append(flight)
                self._wake_waiters()  # a statement that waits for a lock may not land before a kill
        self._asking = None

    def _look_at_blocked_again(self) -> None:
        self._running += self._blocked
        self._blocked = []

    def at_rest(self, until_timer: float | None) -> None:
        while self._to_be_alone:
            _, future = first = min(self._to_be_alone, key=itemgetter(0))
            self._to_be_alone.remove(first)
            if not future.done():
                future.set_result(None)
                return
        if self.steps >= self._max_steps:
            self.end(NeverSettledError(f"not at rest after {self.steps} steps"))
            return
        ready = [turn for turn in self._waiting if turn.begins() <= self.loop.now]
        if ready:
            self._give(self._choose(ready))
        elif until_timer is not None:
            thaws = [turn.begins() - self.loop.now for turn in self._waiting]
            self.loop.now += min([until_timer, *thaws])
        elif self._waiting:
            self.loop.now = min(turn.begins() for turn in self._waiting)
        elif self._blocked:
            self._look_at_blocked_again()
        else:
            self.end(NeverSettledError("no process can go on"))

    def _hesitation(self, process: Process, op: str, what: str) -> float:
        late = self._late
        if late is None or op != late.op or late.what not in what or not process.name.startswith(late.who):
            return 0.0
        return late.seconds * self.dice.uniform(0.5, 1.5) if self.dice.random() < late.share else 0.0

    def _choose(self, ready: list[_Turn]) -> _Turn:
        if self._style == "even":
            return self.dice.choice(ready)
        if self.dice.random() < 0.02:
            self._pace.clear()
        paces = []
        for turn in ready:
            if turn.process.name not in self._pace:
                self._pace[turn.process.name] = (
                    self.dice.random() ** (4 if self._style == "uneven" else 12) + 1e-9
                )
            paces.append(self._pace[turn.process.name])
        return self.dice.choices(ready, paces)[0]

    def _give(self, turn: _Turn) -> None:
        self.steps += 1
        self.loop.now += self.dice.expovariate(100)
        self._waiting.remove(turn)
        self.trace.append(
            f"{self.steps:5} {self.loop.now:9.2f} {turn.process.name}: {turn.op} {turn.what}".rstrip()
        )
        fault = self._befalls(turn)
        if fault is not None:
            self.trace.append(f"      {'':9} ! {fault}")
            self.befallen.append(f"{fault.kind} {'after' if fault.after else 'before'} {turn.op}")
        if fault is not None and fault.kind in self.handlers:
            self._waiting.append(turn)  # it comes again, after what befalls the world
            self.backstage(self.handlers[fault.kind](turn.process, fault))
        elif fault is not None and fault.kind == "crash" and not fault.after:
            self.backstage(self.kill(turn.process))
        elif not turn.future.done():
            turn.future.set_result(fault)

    def _befalls(self, turn: _Turn) -> Fault | None:
        for fault in self._pending:
            if fault.at > self.steps:
                return None
            its_turn = fault.op in ("", turn.op) and turn.process.name.startswith(fault.who)
            if its_turn and (fault.kind != "lose command" or "commands" in turn.what):
                self._pending.remove(fault)
                return fault
        return None


def keep_tasks(loop: asyncio.AbstractEventLoop, work: Any, context: Any = None) -> asyncio.Task[Any]:
    """A task factory: every task belongs to the process that begins it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
    process = current_process.get()
    if process is not None:
        if process.is_dead:
            task.cancel()
        process.tasks[task] = None
        task.add_done_callback(lambda done: process.tasks.pop(done, None))
    return task
