"""Backfills as they stand in the database: how far each is, what was asked of it, how it ended."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert, field

from llamalog_schemas.backfills import BackfillPhase, BackfillReport, RootCounts, RunStatus
from llamalog_schemas.commands import BackfillRootsData
from llamalog_service.postgres.statements import Reader, Record

ENDED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
"""What a run does not leave again."""


class BackfillRun(Struct, frozen=True, kw_only=True, rename="camel"):
    """A backfill as its row says; encoded it is what ``--json`` prints.

    Attributes:
        wish: pause or cancel, asked for and not yet followed.
        rows: planned; 0 until there is a plan.
        left: rows scanned that were right, or that live traffic had corrected.
        rows_per_second: as measured last.
        error: why it failed.
        report: once it has ended, if there was a plan.
    """

    run: UUID
    status: RunStatus
    phase: BackfillPhase
    request: BackfillRootsData
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    wish: str | None
    rows: int
    scanned: int
    set_: int = field(name="set")
    left: int
    by_class: RootCounts
    rows_per_second: float
    error: str | None
    report: BackfillReport | None

    @property
    def has_ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ENDED


async def read_backfill(reader: Reader, run: UUID) -> BackfillRun | None:
    """A backfill; None where no such run is known.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("backfill_run", run)
    return _run(found[0]) if found else None


async def read_backfills(reader: Reader, limit: int, *, only_open: bool = False) -> list[BackfillRun]:
    """The newest backfills first.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    return [_run(found) for found in await reader.rows("backfill_runs", limit, only_open)]


def _run(record: Record) -> BackfillRun:
    plan = convert(record["plan"] or {}, RootCounts)
    return BackfillRun(
        run=UUID(bytes=record["id"].bytes),
        status=RunStatus(record["status"]),
        phase=BackfillPhase(record["phase"]),
        request=convert(record["request"], BackfillRootsData),
        requested_at=record["requested_at"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        wish=record["wish"],
        rows=plan.rows,
        scanned=record["scanned"],
        set_=record["rows_set"],
        left=record["scanned"] - record["rows_set"],
        by_class=convert(record["by_class"] or {}, RootCounts),
        rows_per_second=record["rows_per_second"],
        error=record["error"],
        report=None if record["report"] is None else convert(record["report"], BackfillReport),
    )
