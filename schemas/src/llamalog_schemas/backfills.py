"""What the migration consumer tells of its backfills: how far one is, and how it ended."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from llamalog_schemas.events import CloudEvent

BACKFILL_SOURCE = "/llamalog/migration-consumer"
"""The CloudEvents ``source`` of every backfill event."""


class RunStatus(StrEnum):
    """Where a run stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BackfillPhase(StrEnum):
    """What a run is doing, or was doing last."""

    WAITING = "waiting"
    PLANNING = "planning"
    WRITING = "writing"
    LOOKING_AGAIN = "looking-again"
    RECONCILING = "reconciling"
    DONE = "done"


class _Told(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Any part of a backfill event; it may gain fields, readers ignore what they don't know."""


class RootCounts(_Told, frozen=True, kw_only=True, gc=False):
    """Rows by class: the seven classes add up to all rows, ``conflicts`` are among them."""

    roots: Annotated[int, Meta(description="ROOT: the row's own job is the root.")] = 0
    children: Annotated[int, Meta(description="RESOLVED: the root was found by following parents.")] = 0
    untracked: Annotated[int, Meta(description="UNTRACKED: neither job nor parent.")] = 0
    adopted: Annotated[int, Meta(description="ADOPTED: the top was never logged and counts as a root.")] = 0
    cycles: Annotated[int, Meta(description="CYCLE: on a cycle, or below one.")] = 0
    pending: Annotated[int, Meta(description="PENDING: the top was never logged.")] = 0
    declared: Annotated[int, Meta(description="DECLARED: a producer's word for the root.")] = 0
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


class Mismatch(_Told, frozen=True, kw_only=True, gc=False):
    """A class (or ``rows``) of which the plan holds another number of rows than was expected."""

    name: str
    expected: int
    found: int


class NamedCycle(_Told, frozen=True, kw_only=True, gc=False):
    """A cycle, from its least member on, each followed by its parent; a long one is named in part."""

    members: tuple[str, ...]
    rows: Annotated[int, Meta(description="Planned rows on the cycle or below it.")]


class LiveChanges(_Told, frozen=True, kw_only=True, gc=False):
    """What live traffic did meanwhile to rows that were planned."""

    corrected: Annotated[int, Meta(description="Rows that now have another root or origin than planned.")] = 0
    removed: Annotated[int, Meta(description="Rows that are no longer there.")] = 0
    by_class: Annotated[
        RootCounts, Meta(description="Both, by the class planned: with these, the end adds up to the plan.")
    ] = RootCounts()


class KeptAside(_Told, frozen=True, kw_only=True, gc=False):
    """What planned legacy rows said themselves, where the rules overrule it."""

    parents_cleared: int = 0
    roots_overruled: Annotated[
        int, Meta(description="Another root than the planned one was computed before.")
    ] = 0


class BackfillReport(_Told, frozen=True, kw_only=True, gc=False):
    """How a backfill went. Lists are cut to what a message holds; the counts beside them are whole."""

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


class _BackfillData(_Told, frozen=True, kw_only=True, gc=False):
    """Where a backfill stands."""

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
    """Where a backfill stands that has not ended."""


class BackfillEndedData(_BackfillData, frozen=True, kw_only=True, gc=False):
    """Where a backfill stood when it ended, and how it went."""

    error: str | None = None
    report: Annotated[
        BackfillReport | None, Meta(description="Null if the run ended before its plan was made.")
    ] = None


class BackfillProgressed(
    CloudEvent, frozen=True, kw_only=True, tag="llamalog.backfill-progressed.v1", gc=False
):
    """A backfill was started, paused or resumed, or is so far. Told now and then; the key is the run's id."""

    data: BackfillProgressedData


class BackfillEnded(CloudEvent, frozen=True, kw_only=True, tag="llamalog.backfill-ended.v1", gc=False):
    """A backfill is completed, failed or cancelled. Told at least once; the key is the run's id."""

    data: BackfillEndedData


BackfillEvent = BackfillProgressed | BackfillEnded
