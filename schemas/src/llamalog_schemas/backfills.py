"""Progress and end of backfills, as the migration consumer publishes them."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from llamalog_schemas.events import CloudEvent

BACKFILL_SOURCE = "/llamalog/migration-consumer"
"""The CloudEvents ``source`` of every backfill event."""


class RunStatus(StrEnum):
    """The state of a run; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BackfillPhase(StrEnum):
    """The phase that a run is in, or was in last."""

    WAITING = "waiting"
    PLANNING = "planning"
    WRITING = "writing"
    LOOKING_AGAIN = "looking-again"
    RECONCILING = "reconciling"
    DONE = "done"


class _Part(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Any part of a backfill event; it may gain fields, readers ignore fields that they don't know."""


class RootCounts(_Part, frozen=True, kw_only=True, gc=False):
    """Rows by class: the seven classes add up to all rows, ``conflicts`` are among them."""

    roots: Annotated[int, Meta(description="ROOT: the row's own job is the root.")] = 0
    children: Annotated[int, Meta(description="RESOLVED: the root was found by following parents.")] = 0
    untracked: Annotated[int, Meta(description="UNTRACKED: neither job nor parent.")] = 0
    adopted: Annotated[int, Meta(description="ADOPTED: the top was never logged and counts as a root.")] = 0
    cycles: Annotated[int, Meta(description="CYCLE: on a cycle, or below one.")] = 0
    pending: Annotated[int, Meta(description="PENDING: the top was never logged.")] = 0
    declared: Annotated[int, Meta(description="DECLARED: the root that a producer declared.")] = 0
    conflicts: Annotated[int, Meta(description="Rows with another parent than the one that counts.")] = 0

    @property
    def rows(self) -> int:
        """All rows."""
        return (
            self.roots
            + self.children
            + self.untracked
            + self.adopted
            + self.cycles
            + self.pending
            + self.declared
        )


class Mismatch(_Part, frozen=True, kw_only=True, gc=False):
    """A class (or ``rows``) of which the plan holds another number of rows than was expected."""

    name: str
    expected: int
    found: int


class NamedCycle(_Part, frozen=True, kw_only=True, gc=False):
    """A cycle, from its least member on, each followed by its parent; a long one is named in part."""

    members: tuple[str, ...]
    rows: Annotated[int, Meta(description="Planned rows on the cycle or below it.")]


class LiveChanges(_Part, frozen=True, kw_only=True, gc=False):
    """Changes of planned rows by live traffic while the backfill ran."""

    corrected: Annotated[int, Meta(description="Rows that now have another root or origin than planned.")] = 0
    removed: Annotated[int, Meta(description="Rows that are no longer there.")] = 0
    by_class: Annotated[
        RootCounts, Meta(description="Both, by the class planned: with these, the end adds up to the plan.")
    ] = RootCounts()


class KeptAside(_Part, frozen=True, kw_only=True, gc=False):
    """Values of planned legacy rows that the rules of roots overrule."""

    parents_cleared: int = 0
    roots_overruled: Annotated[
        int, Meta(description="Another root than the planned one was computed before.")
    ] = 0


class BackfillReport(_Part, frozen=True, kw_only=True, gc=False):
    """The result of a backfill. Lists are cut to fit a message; the counts beside them are complete."""

    rows: Annotated[int, Meta(description="Rows planned: those of the scope recorded before the start.")]
    plan: RootCounts
    end: Annotated[
        RootCounts | None, Meta(description="Counted again at the end; null if nothing was written.")
    ]
    mismatches: tuple[Mismatch, ...] = ()
    to_set: Annotated[int, Meta(description="Planned rows that differed from the plan at the start.")] = 0
    set_: int = field(name="set", default=0)
    set_after_looking_again: int = 0
    live: LiveChanges = LiveChanges()
    refused: Annotated[
        int, Meta(description="Rows that PostgreSQL did not let the run change: they are set aside.")
    ] = 0
    unexplained: Annotated[
        int, Meta(description="Rows that are not as planned although nothing corrected them; the run failed.")
    ] = 0
    cycles: tuple[NamedCycle, ...] = ()
    cycles_found: int = 0
    adopted_jobs: Annotated[tuple[str, ...], Meta(description="Tops never logged that count as roots.")] = ()
    adopted_jobs_found: int = 0
    kept_aside: KeptAside = KeptAside()
    batches: int = 0
    lock_timeouts: int = 0
    seconds: Annotated[float, Meta(description="From the start to the end, pauses included.")] = 0.0
    untold: Annotated[int, Meta(description="Corrections that still wait to be published.")] = 0


class _BackfillData(_Part, frozen=True, kw_only=True, gc=False):
    """The state of a backfill."""

    run: UUID
    status: RunStatus
    phase: BackfillPhase
    requested_by: str
    dry_run: bool
    rows: Annotated[int, Meta(description="Rows planned; 0 while planning.")]
    scanned: int
    set_: int = field(name="set")
    left: Annotated[int, Meta(description="Rows scanned that were right, or corrected by live traffic.")]
    by_class: RootCounts
    rows_per_second: float


class BackfillProgressedData(_BackfillData, frozen=True, kw_only=True, gc=False):
    """The state of a backfill that has not ended."""


class BackfillEndedData(_BackfillData, frozen=True, kw_only=True, gc=False):
    """The state of a backfill at its end, and its report."""

    error: str | None = None
    report: Annotated[
        BackfillReport | None, Meta(description="Null if the run ended before its plan was made.")
    ] = None


class BackfillProgressed(
    CloudEvent, frozen=True, kw_only=True, tag="llamalog.backfill-progressed.v1", gc=False
):
    """A backfill was started, paused or resumed, or has made progress. The Kafka key is the run's id."""

    data: BackfillProgressedData


class BackfillEnded(CloudEvent, frozen=True, kw_only=True, tag="llamalog.backfill-ended.v1", gc=False):
    """A backfill is completed, failed or cancelled. Sent at least once; the Kafka key is the run's id."""

    data: BackfillEndedData


BackfillEvent = BackfillProgressed | BackfillEnded
