"""Backfills as stored: state, request, outcome, and their text for people; the adoption of a database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from msgspec import Struct, convert, field

from llamalog_schemas.backfills import (
    BackfillEndedData,
    BackfillPhase,
    BackfillProgressedData,
    BackfillReport,
    RootCounts,
    RunStatus,
)
from llamalog_schemas.commands import BackfillRootsData, GivenJobs, OneRoot, Scope, TimeWindow, WholeTable
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.paging import MAX_BYTES
from llamalog_service.queries.rows import struct_of

ENDED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
"""What a run does not leave again."""


class BackfillRun(Struct, frozen=True, kw_only=True, rename="camel"):
    """A backfill as stored; encoded it is the output of ``--json``.

    Attributes:
        requested_action: pause or cancel, requested and not applied yet.
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
    requested_action: str | None
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
    """A backfill; None where no such run is known."""
    found = await reader.rows("backfill_run", run)
    return _run(found[0]) if found else None


async def read_backfills(reader: Reader, limit: int, *, only_open: bool = False) -> list[BackfillRun]:
    """The newest backfills first; fewer than the limit where they would exceed `MAX_BYTES`."""
    return [_run(found) for found in await reader.rows("backfill_runs", limit, only_open, MAX_BYTES)]


def _run(record: Row) -> BackfillRun:
    plan = convert(record["plan"] or {}, RootCounts)
    return struct_of(
        BackfillRun,
        record,
        run=UUID(bytes=record["id"].bytes),
        status=RunStatus(record["status"]),
        phase=BackfillPhase(record["phase"]),
        request=convert(record["request"], BackfillRootsData),
        requested_action=record["requested_action"],
        rows=plan.rows,
        set_=record["rows_set"],
        left=record["scanned"] - record["rows_set"],
        by_class=convert(record["by_class"] or {}, RootCounts),
        report=None if record["report"] is None else convert(record["report"], BackfillReport),
    )


CLASSES: Final = {
    "roots": "the job is the root itself",
    "children": "root found by following parents",
    "adopted": "top never logged, counts as a root",
    "declared": "top never logged, a producer named a root",
    "pending": "root unknown: top never logged",
    "cycles": "root unknown: on a cycle of parents or below one",
    "untracked": "root unknown: no job and no parent named",
}
"""The classes that add up to all rows, with their meaning."""

_PHASES: Final = {
    BackfillPhase.WAITING: "waiting for its turn",
    BackfillPhase.PLANNING: "planning",
    BackfillPhase.WRITING: "writing",
    BackfillPhase.LOOKING_AGAIN: "looking again",
    BackfillPhase.RECONCILING: "counting again",
    BackfillPhase.DONE: "done",
}


BackfillState = BackfillRun | BackfillProgressedData | BackfillEndedData
"""The state of a backfill, from its row or from an event."""


def describe_scope(scope: Scope, shown: Callable[[str], str]) -> str:
    """Describe the rows that a backfill plans.

    Args:
        shown: makes the name of a job fit to be seen, where it may hold any character.
    """
    match scope:
        case WholeTable():
            return "everything"
        case TimeWindow(from_=start, to=end):
            return f"rows from {moment(start)} to before {moment(end)}"
        case GivenJobs(jobs=(job,)):
            return f"the job {shown(job)} and below"
        case GivenJobs(jobs=jobs):
            return f"the job {shown(jobs[0])}, {len(jobs) - 1:,} more, and below"
        case OneRoot(root_job_id=root):
            return f"the root {shown(root)} and below"
    assert_never(scope)


def describe_state(state: BackfillState) -> str:
    """Describe its current phase, or its end."""
    if state.status is RunStatus.RUNNING:
        return _PHASES[state.phase]
    if state.status is RunStatus.PAUSED:
        return f"paused while {_PHASES[state.phase]}"
    return _PHASES[BackfillPhase.WAITING] if state.status is RunStatus.QUEUED else state.status.value


def moment(at: datetime | None) -> str:
    """To the second, in UTC; a dash for what has not happened."""
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


class Adoption(NamedTuple):
    """The rest of an adoption, and the backfill that does it or has done it.

    Attributes:
        unprocessed: rows of other writers whose root is not computed yet.
        pending: rows below a job that was never logged and does not count as a root.
        run: the backfill of everything that adopts such jobs: under way, else completed, else None.
    """

    unprocessed: int
    pending: int
    run: BackfillRun | None

    @property
    def under_way(self) -> BackfillRun | None:
        """The run that was begun and has not ended."""
        return self.run if self.run is not None and not self.run.has_ended else None

    @property
    def is_complete(self) -> bool:
        """Whether the log was adopted, and nothing has come since that adopting again would change."""
        return self.run is not None and self.run.has_ended and not self.unprocessed and not self.pending


async def read_adoption(reader: Reader) -> Adoption:
    """Style; cheap where most rows have their root."""
    rows = await reader.row("adoption_rows")
    run = await reader.value("adoption_run")
    return Adoption(
        rows["unprocessed"], rows["pending"], None if run is None else await read_backfill(reader, run)
    )
