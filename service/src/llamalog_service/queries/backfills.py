"""Backfills as they stand in the database: how far each is, who asked for it, how it ended."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, field

from llamalog_schemas.backfills import BackfillPhase, BackfillReport, RootCounts, RunStatus
from llamalog_schemas.commands import ExpectedCounts, MissingParent, Scope

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
    scope: Scope
    missing_parent: MissingParent
    batch_size: int | None
    rate_limit: int | None
    dry_run: bool
    expected: ExpectedCounts | None
    requested_by: str
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
