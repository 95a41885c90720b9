"""Take turns by plan: what several actors do to the database, in every order or in a chosen one."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, NamedTuple

import asyncpg

_TIMEOUT = 240.0
"""Seconds for a whole play: some actor never comes to an end."""

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|LOCK|SHARE|advisory|nextval|set_config)", re.IGNORECASE)
"""In every statement that changes a row or takes a lock."""


class Step(NamedTuple):
    """What an actor does next: its name, and whether it only reads."""

    actor: str
    reads: bool


Choose = Callable[[Sequence[Step], int], str]
"""Given the steps that wait for their turn and how many messages were published so far: whose turn it is."""


class Turns:
    """Lets one actor at a time do its next step.

    An actor comes to a step by awaiting `mine`; it stands there until `play` gives it the turn. What an
    actor does at the same time, in several tasks, is one step.

    Args:
        published: the number of messages that the actors have published so far.
        blocked_after: seconds after which an actor that had its turn is taken to wait for a lock that
            another one holds; None: no actor ever waits for another.
    """

    def __init__(self, published: Callable[[], int] = lambda: 0, blocked_after: float | None = None) -> None:
        self._published = published
        self._blocked_after = blocked_after
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._writers: set[str] = set()
        self._came = asyncio.Event()

    async def mine(self, actor: str, *, reads: bool = False) -> None:
        if not reads:
            self._writers.add(actor)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(actor, []).append(turn)
        self._came.set()
        await turn

    async def play(self, choose: Choose, **actors: Coroutine[Any, Any, Any]) -> None:
        """Run the actors, under the names that they give to `mine`, to their ends, step by step as chosen.

        The first error of one is raised, and ends the others.
        """
        tasks = {name: asyncio.create_task(self._act(work)) for name, work in actors.items()}
        blocked: set[str] = set()
        try:
            async with asyncio.timeout(_TIMEOUT):
                while any(not task.done() for task in tasks.values()):
                    _raise_first(tasks.values())
                    blocked = await self._stand_still(tasks, blocked)
                    ready = [Step(actor, actor not in self._writers) for actor in sorted(self._waiting)]
                    if ready:
                        chosen = choose(ready, self._published())
                        self._writers.discard(chosen)
                        for turn in self._waiting.pop(chosen):
                            turn.set_result(None)
            _raise_first(tasks.values())
        finally:
            for task in tasks.values():
                task.cancel()
                with suppress(BaseException):
                    await task

    async def _act(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        finally:
            self._came.set()

    async def _stand_still(self, tasks: dict[str, asyncio.Task[None]], blocked: set[str]) -> set[str]:
        """Wait until every actor has come to a step, has ended, or is blocked by another."""
        while True:
            for _ in range(5):
                await asyncio.sleep(0)  # the tasks of one actor come to their step one after the other
            moving = {name for name, task in tasks.items() if not task.done()} - self._waiting.keys()
            if moving <= blocked and (self._waiting or not moving):
                return blocked & moving
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), self._blocked_after)
            except TimeoutError:
                if self._waiting:
                    blocked = moving


def _raise_first(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


class PoolInTurns:
    """A pool whose transactions, or whose statements, each wait for the actor's turn."""

    def __init__(self, pool: asyncpg.Pool, turns: Turns, actor: str, *, by_statement: bool = False) -> None:
        self._pool = pool
        self._turns = turns
        self._actor = actor
        self._by_statement = by_statement

    async def fetch(self, *arguments: Any) -> Any:
        await self._turns.mine(self._actor, reads=_WRITES.search(arguments[0]) is None)
        return await self._pool.fetch(*arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        await self._turns.mine(self._actor, reads=_WRITES.search(arguments[0]) is None)
        return await self._pool.fetchval(*arguments)

    async def fetchrow(self, *arguments: Any) -> Any:
        await self._turns.mine(self._actor, reads=_WRITES.search(arguments[0]) is None)
        return await self._pool.fetchrow(*arguments)

    async def execute(self, *arguments: Any) -> Any:
        await self._turns.mine(self._actor)
        return await self._pool.execute(*arguments)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        if not self._by_statement:
            await self._turns.mine(self._actor)
        async with self._pool.acquire() as connection:
            yield _ConnectionInTurns(connection, self) if self._by_statement else connection

    async def turn(self) -> None:
        await self._turns.mine(self._actor)


class _ConnectionInTurns:
    """A connection of which every statement, and every commit, waits for the turn."""

    _STATEMENTS = frozenset(
        {
            "execute",
            "fetch",
            "fetchval",
            "fetchrow",
            "executemany",
            "copy_records_to_table",
            "copy_to_table",
        }
    )

    def __init__(self, connection: asyncpg.Connection, pool: PoolInTurns) -> None:
        self._connection = connection
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in self._STATEMENTS:
            return method

        async def in_turn(*arguments: Any, **named: Any) -> Any:
            await self._pool.turn()
            return await method(*arguments, **named)

        return in_turn

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction():
            yield
            await self._pool.turn()


class _Fork:
    """A point at which one of several steps came next.

    Attributes:
        taken: the steps taken here so far, the last one in the present run; each with whether it commutes
            with other steps that do: it read, and its actor published nothing before its next step.
        asleep: the steps, known to commute, whose turn leads to an order that was played already.
    """

    def __init__(self, steps: Sequence[Step], asleep: dict[str, bool]) -> None:
        self.steps = {step.actor: step for step in steps}
        self.asleep = asleep
        self.taken: dict[str, bool] = {}

    def left(self) -> list[str]:
        return [actor for actor in self.steps if actor not in self.taken and actor not in self.asleep]

    def asleep_after(self, actor: str) -> dict[str, bool]:
        """The steps that need no turn right after this one: they would have led to the same before it."""
        if not self.taken[actor]:
            return {}
        before = {other: commutes for other, commutes in self.taken.items() if other != actor}
        return {other: True for other, commutes in {**self.asleep, **before}.items() if commutes}


def every_order() -> Iterator[Choose]:
    """A `choose` for each order that there is: run the same actors from the same start with each.

    Of orders that differ only in which of two neighbouring reads came first, one is played (sleep sets, as in
    model checkers): nothing can distinguish the two.
    """
    path: list[_Fork] = []
    while True:
        depth, seen = 0, 0

        def choose(steps: Sequence[Step], published: int) -> str:
            nonlocal depth, seen
            if depth:
                fork = path[depth - 1]
                last = next(reversed(fork.taken))
                fork.taken[last] = fork.steps[last].reads and published == seen
            seen = published
            if depth == len(path):
                asleep = path[-1].asleep_after(next(reversed(path[-1].taken))) if path else {}
                path.append(_Fork(steps, asleep))
                path[-1].taken[(path[-1].left() or [steps[0].actor])[0]] = False
            depth += 1
            return next(reversed(path[depth - 1].taken))

        yield choose
        while path and not path[-1].left():
            path.pop()
        if not path:
            return
        path[-1].taken[path[-1].left()[0]] = False


def at_random(seed: int) -> Choose:
    """A `choose` that throws dice."""
    dice = Random(seed)
    return lambda steps, _: dice.choice(steps).actor
