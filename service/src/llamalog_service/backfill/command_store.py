"""Repairs kept as runs: queued, running, then completed or failed."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

import asyncpg

from llamalog_service.postgres.statements import sql


class Run(NamedTuple):
    """A repair to be done: its id is the command's."""

    id: UUID
    kind: str
    jobs: tuple[str, ...]
    reason: str


class Claimed(NamedTuple):
    """A run that the worker has taken."""

    id: UUID
    jobs: list[str]


class RunStore:
    """The runs of the migration consumers, shared by all of them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def enqueue(self, runs: Collection[Run]) -> None:
        """Keep runs; one that is known already, done or not, is left alone."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.executemany(sql("enqueue_run"), runs)

    async def claim(self, limit: int) -> list[Claimed]:
        """Take the oldest queued runs."""
        records = await self._pool.fetch(sql("claim_runs"), limit)
        return [Claimed(record["id"], record["jobs"]) for record in records]

    async def finish(self, ids: Collection[UUID], passes: int, rows_changed: int) -> None:
        """Note that runs, done together, are completed."""
        await self._pool.execute(sql("finish_runs"), ids, passes, rows_changed)

    async def fail(self, run: UUID, error: str) -> None:
        """Note that a run can't be done, and why."""
        await self._pool.execute(sql("fail_run"), run, error)

    async def requeue_left(self) -> None:
        """Put back what a worker that died had taken; only the one worker may call this."""
        await self._pool.execute(sql("requeue_runs"))
