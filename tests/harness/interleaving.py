"""Take turns by plan: what several actors do to the database, in every order or in a chosen one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

Choose = Callable[[int], int]
"""Given how many actors wait for their turn, the number of the one that has it."""

_TIMEOUT = 5.0
"""Seconds for a whole play: some actor never comes to an end."""


class Turns:
    """Lets one actor at a time do its next step.

    An actor comes to a step by awaiting `mine`; it stands there until `play` gives it the turn. What an
    actor does at the same time, in several tasks, is one step.

    Args:
        blocked_after: seconds after which an actor that had its turn is taken to wait for a lock that
            another one holds; None: no actor ever waits for another.
    """

    def __init__(self, blocked_after: float | None = None) -> None:
        self._blocked_after = blocked_after
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._came = asyncio.Event()

    async def mine(self, actor: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(actor, []).append(turn)
        self._came.set()
        await turn

    async def play(self, choose: Choose, **actors: Coroutine[Any, Any, Any]) -> None:
        """Run the actors, under the names that they give to `mine`, to their ends, step by step as chosen.

        The first error of one is raised.
        """
        tasks = {name: asyncio.create_task(self._act(work)) for name, work in actors.items()}
        blocked: set[str] = set()
        try:
            async with asyncio.timeout(_TIMEOUT):
                while any(not task.done() for task in tasks.values()):
                    blocked = await self._stand_still(tasks, blocked)
                    ready = sorted(self._waiting)
                    if ready:
                        for turn in self._waiting.pop(ready[choose(len(ready))]):
                            turn.set_result(None)
            for task in tasks.values():
                task.result()
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


class PoolInTurns:
    """A pool whose transactions, or whose statements, each wait for the actor's turn."""

    def __init__(self, pool: asyncpg.Pool, turns: Turns, actor: str, *, by_statement: bool = False) -> None:
        self._pool = pool
        self._turns = turns
        self._actor = actor
        self._by_statement = by_statement

    async def fetch(self, *arguments: Any) -> Any:
        await self._turns.mine(self._actor)
        return await self._pool.fetch(*arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        await self._turns.mine(self._actor)
        return await self._pool.fetchval(*arguments)

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
        {"execute", "fetch", "fetchval", "fetchrow", "executemany", "copy_records_to_table"}
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


def every_order() -> Iterator[Choose]:
    """A `choose` for each order that there is: run the same actors from the same start with each."""
    plan: list[int] = []
    while True:
        taken: list[tuple[int, int]] = []

        def choose(waiting: int, plan: list[int] = plan, taken: list[tuple[int, int]] = taken) -> int:
            choice = plan[len(taken)] if len(taken) < len(plan) else 0
            taken.append((choice, waiting))
            return choice

        yield choose
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        plan = [choice for choice, _ in taken]
        plan[-1] += 1
