"""Commands to the migration consumer."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import CloudEvent
from llamalog_schemas.limits import Count, JobId, Moment, UserId

MAX_JOBS_PER_COMMAND = 1000
"""A longer list of jobs is sent as several commands."""

MAX_BATCH_SIZE = 100_000
"""The largest number of rows in one transaction of a backfill."""

Jobs = Annotated[tuple[JobId, ...], Meta(min_length=1, max_length=MAX_JOBS_PER_COMMAND)]
RequestedBy = Annotated[UserId, Meta(description="The requesting operator or service, for people.")]
BatchSize = Annotated[
    int,
    Meta(ge=1, le=MAX_BATCH_SIZE, description="Rows a transaction at most; left out: the service decides."),
]
RateLimit = Annotated[int, Meta(ge=1, description="Rows a second at most.")]


class _CommandData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The base of the ``data`` of all commands, and of its parts."""


class RecomputeReason(StrEnum):
    """The reason for computing the roots below a job anew."""

    PARENT_CHANGED = "parent-changed"
    ROOT_DISAGREES = "root-disagrees"
    ADOPTION_CHANGED = "adoption-changed"
    REQUESTED = "requested"


class RecomputeRootsData(_CommandData, frozen=True, kw_only=True, gc=False):
    """Jobs whose roots, and those of everything below them, are to be computed anew."""

    jobs: Jobs
    reason: RecomputeReason


class RecomputeRoots(CloudEvent, frozen=True, kw_only=True, tag="llamalog.recompute-roots.v1", gc=False):
    """Write the rows below these jobs whose root or origin differs from the rule.

    The CloudEvents id is a UUID and becomes the run's id, which makes the command idempotent.
    """

    data: RecomputeRootsData


class _Scope(_CommandData, frozen=True, kw_only=True, tag_field="kind", gc=False):
    """The rows that a backfill plans."""


class WholeTable(_Scope, frozen=True, kw_only=True, tag="everything", gc=False):
    """Every row of the table."""


class TimeWindow(_Scope, frozen=True, kw_only=True, tag="window", gc=False):
    """The rows whose ``createdAt`` lies in [``from``, ``to``); their roots may lie outside."""

    from_: Moment = field(name="from")
    to: Moment


class GivenJobs(_Scope, frozen=True, kw_only=True, tag="jobs", gc=False):
    """The rows of these jobs and of everything below them."""

    jobs: Jobs


class OneRoot(_Scope, frozen=True, kw_only=True, tag="root", gc=False):
    """The rows that have this root now, and the rows of this job and of everything below it."""

    root_job_id: JobId


Scope = WholeTable | TimeWindow | GivenJobs | OneRoot


class MissingParent(StrEnum):
    """The treatment of a chain whose top was never logged."""

    ADOPT = "adopt"
    LEAVE = "leave"


class ExpectedCounts(_CommandData, frozen=True, kw_only=True, gc=False):
    """How many planned rows must be of each class, or the run fails before it changes anything.

    A class that is left out is not checked. ``rows`` is the sum of the classes ``roots`` (the row's own job
    is the root), ``children``, ``untracked``, ``adopted``, ``cycles``, ``pending`` and ``declared``;
    ``conflicts`` counts rows of any class that claim another parent than the one that counts.
    """

    rows: Count | None = None
    roots: Count | None = None
    children: Count | None = None
    untracked: Count | None = None
    adopted: Count | None = None
    cycles: Count | None = None
    pending: Count | None = None
    declared: Count | None = None
    conflicts: Count | None = None


class BackfillRootsData(_CommandData, frozen=True, kw_only=True, gc=False):
    """A backfill: its scope and its options."""

    scope: Scope
    requested_by: RequestedBy
    missing_parent: Annotated[
        MissingParent,
        Meta(description="`adopt`: a top never logged is adopted, unless its adoption was revoked by name."),
    ] = MissingParent.LEAVE
    batch_size: BatchSize | None = None
    rate_limit: RateLimit | None = None
    dry_run: Annotated[bool, Meta(description="Plan, check and report; change nothing.")] = False
    expected: ExpectedCounts | None = None


class BackfillRoots(CloudEvent, frozen=True, kw_only=True, tag="llamalog.backfill-roots.v1", gc=False):
    """Plan the roots of a scope, check the plan, write what differs, and report.

    The CloudEvents id is a UUID and becomes the run's id, which makes the command idempotent. Runs wait
    for each other: one is under way at a time.
    """

    data: BackfillRootsData


class RunRequestData(_CommandData, frozen=True, kw_only=True, gc=False):
    """The run that the request is about."""

    run: UUID
    requested_by: RequestedBy


class PauseBackfill(CloudEvent, frozen=True, kw_only=True, tag="llamalog.pause-backfill.v1", gc=False):
    """Pause a backfill at its next batch. The CloudEvents id is a UUID; sent twice it counts once."""

    data: RunRequestData


class ResumeBackfill(CloudEvent, frozen=True, kw_only=True, tag="llamalog.resume-backfill.v1", gc=False):
    """Resume a paused backfill. The CloudEvents id is a UUID; sent twice it counts once."""

    data: RunRequestData


class CancelBackfill(CloudEvent, frozen=True, kw_only=True, tag="llamalog.cancel-backfill.v1", gc=False):
    """End a backfill at its next batch; what it has written stays. Sent twice it counts once."""

    data: RunRequestData


RunRequest = PauseBackfill | ResumeBackfill | CancelBackfill
Command = RecomputeRoots | BackfillRoots | RunRequest


def check_command(command: Command) -> None:
    """Check a command against the rules that its types cannot state.

    Raises:
        InvalidMessageError: with the reason's code and a sentence that names the field.
    """
    try:
        UUID(command.id)
    except ValueError:
        raise InvalidMessageError(
            InvalidReason.BAD_ENVELOPE, f"`id` is {command.id!r}: a command's id is a UUID, it names the run"
        ) from None
    if isinstance(command, BackfillRoots):
        _check_window(command)


def _check_window(command: BackfillRoots) -> None:
    scope = command.data.scope
    if not isinstance(scope, TimeWindow):
        return
    for name, moment in (("from", scope.from_), ("to", scope.to)):
        if not _has_utc(moment):
            raise InvalidMessageError(
                InvalidReason.BAD_FIELD,
                f"`data.scope.{name}` is {moment.isoformat()}, outside the years 1 to 9999 in UTC",
            )
    if scope.from_ >= scope.to:
        raise InvalidMessageError(
            InvalidReason.BAD_FIELD,
            f"`data.scope.from` ({scope.from_.isoformat()}) is not before `data.scope.to` "
            f"({scope.to.isoformat()}): no row lies in that window",
        )


def _has_utc(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
