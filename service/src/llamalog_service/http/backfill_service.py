"""Asking for backfills, and of them: the same for programs and for people."""

from http import HTTPStatus
from typing import Annotated, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from msgspec import Meta, Struct

from llamalog_schemas.codec import decode_command, encode
from llamalog_schemas.commands import (
    BackfillRoots,
    BackfillRootsData,
    BatchSize,
    CancelBackfill,
    ExpectedCounts,
    MissingParent,
    PauseBackfill,
    ResumeBackfill,
    RunRequest,
    RunRequestData,
    Scope,
    TimeWindow,
)
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME, MAX_COUNT
from llamalog_service.http.access import Principal, require
from llamalog_service.http.access import Scope as Allowed
from llamalog_service.http.api.bodies import invalid_body
from llamalog_service.http.context import Context
from llamalog_service.http.problems import ProblemError, not_found
from llamalog_service.queries.backfills import BackfillRun, read_backfill

REQUESTS: Final[dict[str, type[RunRequest]]] = {
    "pause": PauseBackfill,
    "resume": ResumeBackfill,
    "cancel": CancelBackfill,
}
"""What can be asked of a run."""

_KEYS: Final = uuid5(NAMESPACE_URL, "llamalog/idempotency-key")


class BackfillRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A backfill: its scope, and how it is to go about it. Who asks is known from the token."""

    scope: Scope
    missing_parent: Annotated[
        MissingParent,
        Meta(
            description="`adopt`: a top that was never logged becomes a root by an override, "
            "unless its adoption was revoked; "
            "needs the scope `admin`, unless it is a dry run."
        ),
    ] = MissingParent.LEAVE
    batch_size: BatchSize | None = None
    rate_limit: Annotated[int, Meta(ge=1, le=MAX_COUNT, description="Rows a second at most.")] | None = None
    dry_run: Annotated[bool, Meta(description="Plan, check and report; change nothing.")] = False
    expected: ExpectedCounts | None = None


class Asked(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was asked of the migration consumer: `start`, `pause`, `resume` or `cancel`."""

    run: UUID
    asked: str


async def start_backfill(
    context: Context, principal: Principal, wanted: BackfillRequest, key: str | None = None
) -> Asked:
    """Ask for a backfill.

    Args:
        key: asking again with the same one asks for the same run; a UUID becomes the run's id.

    Raises:
        ProblemError: 403, 409 or 422; nothing was asked.
        UnavailableError: PostgreSQL or Kafka is away; asking again with the same key is safe.
    """
    require(principal, Allowed.OPERATE)
    if wanted.missing_parent is MissingParent.ADOPT and not wanted.dry_run:
        require(principal, Allowed.ADMIN)
    run = _run_of(key, principal)
    data = _command_data(run, wanted, principal)
    known = await read_run(context, run) if key is not None else None
    if known is not None and known.request != data:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"The key was used for another request, that of the run {run}. Nothing was asked.",
            kind="key-used",
        )
    await context.operations.ask_for_backfill(run, data)
    context.asked.note(run, data)
    return Asked(run=run, asked="start")


async def ask_of_run(context: Context, principal: Principal, run: UUID, what: str) -> Asked:
    """Ask a backfill to pause, to go on, or to end; it heeds that at its next batch.

    Args:
        what: a key of `REQUESTS`.

    Raises:
        ProblemError: 403, 404 or 409; nothing was asked.
        UnavailableError: PostgreSQL or Kafka is away.
    """
    require(principal, Allowed.OPERATE)
    known = await find_run(context, run)
    if known.has_ended:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"There is nothing to {what}: the backfill {run} has ended, it is {known.status}. "
            "Nothing was asked.",
            kind="run-ended",
        )
    data = RunRequestData(run=run, requested_by=principal.name)
    await context.operations.ask_of_run(REQUESTS[what], data)
    return Asked(run=run, asked=what)


async def read_run(context: Context, run: UUID) -> BackfillRun | None:
    """A backfill as its row says it; one that was asked for here is known before it has a row.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    return await read_backfill(context.reader, run) or context.asked.find(run)


async def find_run(context: Context, run: UUID) -> BackfillRun:
    """As `read_run`, of one that there has to be.

    Raises:
        ProblemError: 404.
        UnavailableError: PostgreSQL is away.
    """
    found = await read_run(context, run)
    if found is None:
        raise unknown_run(run)
    return found


def unknown_run(run: UUID) -> ProblemError:
    """404: nobody knows the run."""
    return not_found(f"There is no backfill {run}.")


def _run_of(key: str | None, principal: Principal) -> UUID:
    if key is None:
        return uuid4()
    try:
        return UUID(key)
    except ValueError:
        return uuid5(_KEYS, f"{principal.name} {key}")


def _command_data(run: UUID, wanted: BackfillRequest, principal: Principal) -> BackfillRootsData:
    """What the command will say.

    Raises:
        ProblemError: 422, the contract would refuse it.
    """
    scope = wanted.scope
    if isinstance(scope, TimeWindow) and not (
        EARLIEST_TIME <= scope.from_ <= LATEST_TIME and EARLIEST_TIME <= scope.to <= LATEST_TIME
    ):
        raise invalid_body("scope", f"It lies outside of {EARLIEST_TIME:%Y} to {LATEST_TIME:%Y}.")
    data = BackfillRootsData(
        scope=scope,
        requested_by=principal.name,
        missing_parent=wanted.missing_parent,
        batch_size=wanted.batch_size,
        rate_limit=wanted.rate_limit,
        dry_run=wanted.dry_run,
        expected=wanted.expected,
    )
    command = BackfillRoots(
        id=str(run), source="/llamalog/api", time=EARLIEST_TIME, specversion="1.0", data=data
    )
    try:
        decode_command(encode(command))
    except InvalidMessageError as invalid:
        raise invalid_body("", invalid.sentence.replace("`data.", "`")) from None
    return data
