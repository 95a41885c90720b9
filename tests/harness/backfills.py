"""Backfills in this process: requested as by commands, done by a runner without its worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from histories import NOON, chains, event
from llamalog_schemas.backfills import BackfillPhase, RootCounts
from llamalog_schemas.commands import (
    BackfillRoots,
    BackfillRootsData,
    CancelBackfill,
    PauseBackfill,
    ResumeBackfill,
    RunRequest,
    RunRequestData,
    Scope,
    WholeTable,
)
from llamalog_schemas.events import Event
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.backfill.batches import Batch, BatchSizer, BatchWriter
from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.runner import BackfillRunner, Stores
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore

BROKEN: Final[list[Event]] = [
    *chains(30),
    event(101),
    event(102),
    event(110, "orphan", "never-seen"),
    event(111, "below-orphan", "orphan"),
    event(112, None, "never-seen"),
    event(120, "ring-a", "ring-b"),
    event(121, "ring-b", "ring-a"),
    event(122, "below-ring", "ring-a"),
    event(130, "declarer", "gone", declared="wished-for"),
    event(140, "twice", "root-1"),
    event(141, "twice", "root-4"),
]
PLANNED: Final = RootCounts(roots=10, children=22, untracked=2, pending=3, cycles=3, declared=1, conflicts=1)


class WatchedBatches(BatchWriter):
    """Batches before each of which something may happen."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.before: Callable[[int], Awaitable[None]] | None = None
        self.sizes: list[int] = []

    async def write_next(self, run: UUID, sizer: BatchSizer) -> Batch:
        if self.before is not None:
            await self.before(len(self.sizes))
        self.sizes.append(sizer.size)
        return await super().write_next(run, sizer)


class WatchedBackfills(BackfillStore):
    """Runs that something may happen to when they come to a phase."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.at: dict[BackfillPhase, Callable[[UUID], Awaitable[None]]] = {}
        self.after_plan: Callable[[UUID], Awaitable[None]] | None = None

    async def enter(self, run: UUID, phase: BackfillPhase) -> None:
        await super().enter(run, phase)
        if phase in self.at:
            await self.at[phase](run)

    async def note_plan(self, run: UUID, plan: RootCounts, to_set: int, right: RootCounts) -> bool:
        noted = await super().note_plan(run, plan, to_set, right)
        if self.after_plan is not None:
            await self.after_plan(run)
        return noted


class WatchedPlans(PlanStore):
    """Plans after each of which something may happen."""

    after: Callable[[], Awaitable[None]] | None = None

    async def make(self, scope: Scope, *, adopt: bool) -> tuple[RootCounts, RootCounts]:
        counts = await super().make(scope, adopt=adopt)
        if self.after is not None:
            await self.after()
        return counts


class Backfills:
    """Requests backfills of a database and does them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.store = WatchedBackfills(pool)
        self.plans = WatchedPlans(pool)
        self.batches = WatchedBatches(pool)
        self.rests: list[tuple[float, float]] = []
        """Each rest's beginning, in monotonic seconds, and its length; in truth they last a moment."""

    @property
    def stores(self) -> Stores:
        return Stores(
            self.store, self.plans, self.batches, RecomputeStore(self.pool), ProvenanceOutbox(self.pool)
        )

    @property
    def runner(self) -> BackfillRunner:
        async def rest(seconds: float) -> None:
            self.rests.append((monotonic(), seconds))
            await asyncio.sleep(min(seconds, 0.05))

        return BackfillRunner(self.stores, poll_every=0.02, sleep=rest)

    async def request(self, **options: Any) -> UUID:
        """Have a backfill queued."""
        command = start(**options)
        await self.store.apply([command])
        return UUID(command.id)

    async def do(self, **options: Any) -> Backfill:
        """Have a backfill queued and done."""
        run = await self.request(**options)
        await self.runner.run_next()
        return await self.look(run)

    async def look(self, run: UUID) -> Backfill:
        found = await self.store.find(run)
        assert found is not None
        return found

    async def pause(self, run: UUID) -> None:
        await self.store.apply([request(PauseBackfill, run)])

    async def resume(self, run: UUID) -> None:
        await self.store.apply([request(ResumeBackfill, run)])

    async def cancel(self, run: UUID) -> None:
        await self.store.apply([request(CancelBackfill, run)])

    async def log(self) -> list[str]:
        """Every row of the log, every column."""
        return [
            record["row"]
            for record in await self.pool.fetch("SELECT l::text AS row FROM llama_logs l ORDER BY id")
        ]


def start(**options: Any) -> BackfillRoots:
    """The command for a backfill, of everything if no scope is given."""
    data = BackfillRootsData(**{"scope": WholeTable(), "requested_by": "tests", **options})
    return BackfillRoots(id=str(uuid4()), source="/tests", time=NOON, specversion="1.0", data=data)


def request(kind: type[RunRequest], run: UUID) -> RunRequest:
    """The command to pause, resume or cancel."""
    data = RunRequestData(run=run, requested_by="tests")
    return kind(id=str(uuid4()), source="/tests", time=NOON, specversion="1.0", data=data)


@asynccontextmanager
async def while_locked(pool: asyncpg.Pool, row: UUID) -> AsyncIterator[None]:
    """Another session holds a row."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM llama_logs WHERE id = $1 FOR UPDATE", row)
        yield


async def forget_roots(pool: asyncpg.Pool) -> None:
    """As if another program had written the rows, and no sweep had seen them."""
    await pool.execute(
        "UPDATE llama_logs "
        "SET root_job_id = NULL, origin = NULL, cycle_members = NULL, parent_conflict = false"
    )
