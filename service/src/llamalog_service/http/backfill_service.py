"""Backfills over HTTP: requested, changed and read, the same for programs and for people."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from msgspec import Meta, Struct
from msgspec.structs import asdict

from llamalog_schemas.backfills import BackfillPhase, RootCounts, RunStatus
from llamalog_schemas.codec import decode_command, encode
from llamalog_schemas.commands import (
    BackfillRoots,
    BackfillRootsData,
    BatchSize,
    ExpectedCounts,
    MissingParent,
    RunRequest,
    RunRequestData,
    Scope,
    TimeWindow,
)
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME, MAX_COUNT
from llamalog_service.backfill.backfill_store import ACTIONS
from llamalog_service.http.access import Principal, require
from llamalog_service.http.access import Scope as TokenScope
from llamalog_service.http.problems import ProblemError, invalid_body, not_found
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import BackfillRun, read_backfill

SOURCE: Final = "/llamalog/api"
"""The CloudEvents source of the messages that the API publishes."""

REQUESTS: Final = {action: request for request, action in ACTIONS.items()}
"""Requests to an existing run, by the action."""

PublishBackfill = Callable[[UUID, BackfillRootsData], Awaitable[None]]
PublishRunRequest = Callable[[type[RunRequest], RunRequestData], Awaitable[None]]

_KEYS: Final = uuid5(NAMESPACE_URL, "llamalog/idempotency-key")
_MAX_ACCEPTED: Final = 1_000


class BackfillRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A requested backfill: its scope and options. The token says who requests it."""

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


class RunAccepted(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request that the migration consumer will apply: `start`, `pause`, `resume` or `cancel`."""

    run: UUID
    requested_action: str


class BackfillService:
    """Publishes requests to the migration consumer, and reads its runs.

    A run that was accepted here is known before the migration consumer has written its row.

    Args:
        publish_backfill: publishes the command of a run; publishing it again is safe.
        publish_run_request: publishes a request to an existing run.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        publish_backfill: PublishBackfill,
        publish_run_request: PublishRunRequest,
    ) -> None:
        self._reader = reader
        self._publish_backfill = publish_backfill
        self._publish_run_request = publish_run_request
        self._accepted: OrderedDict[UUID, BackfillRun] = OrderedDict()

    async def start(
        self, principal: Principal, request: BackfillRequest, key: str | None = None
    ) -> RunAccepted:
        """Request a backfill.

        Args:
            key: idempotency key: the same one requests the same run; a UUID becomes the run's id.

        Raises:
            ProblemError: 403, 409 or 422; nothing was requested.
            UnavailableError: PostgreSQL or Kafka is away; requesting again with the same key is safe.
        """
        require(principal, TokenScope.OPERATE)
        if request.missing_parent is MissingParent.ADOPT and not request.dry_run:
            require(principal, TokenScope.ADMIN)
        run = _run_id(key, principal)
        data = _command_data(run, request, principal)
        known = await self.read(run) if key is not None else None
        if known is not None and known.request != data:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                f"The key was used for another request, that of the run {run}. Nothing was requested.",
                kind="key-used",
            )
        await self._publish_backfill(run, data)
        self._accepted.setdefault(run, _queued(run, data))
        if len(self._accepted) > _MAX_ACCEPTED:
            self._accepted.popitem(last=False)
        return RunAccepted(run=run, requested_action="start")

    async def request(self, principal: Principal, run: UUID, action: str) -> RunAccepted:
        """Request a run to pause, resume or cancel at its next batch.

        Args:
            action: a key of `REQUESTS`.

        Raises:
            ProblemError: 403, 404 or 409; nothing was requested.
            UnavailableError: PostgreSQL or Kafka is away.
        """
        require(principal, TokenScope.OPERATE)
        known = await self.find(run)
        if known.has_ended:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                f"There is nothing to {action}: the backfill {run} has ended, it is {known.status}. "
                "Nothing was requested.",
                kind="run-ended",
            )
        await self._publish_run_request(
            REQUESTS[action], RunRequestData(run=run, requested_by=principal.name)
        )
        return RunAccepted(run=run, requested_action=action)

    async def read(self, run: UUID) -> BackfillRun | None:
        """A run from its row, else as it was accepted here; None if it is not known.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        return await read_backfill(self._reader, run) or self._accepted.get(run)

    async def find(self, run: UUID) -> BackfillRun:
        """A run that has to be known.

        Raises:
            ProblemError: 404.
            UnavailableError: PostgreSQL is away.
        """
        found = await self.read(run)
        if found is None:
            raise not_found(f"There is no backfill {run}.")
        return found


def _run_id(key: str | None, principal: Principal) -> UUID:
    if key is None:
        return uuid4()
    try:
        return UUID(key)
    except ValueError:
        return uuid5(_KEYS, f"{principal.name} {key}")


def _command_data(run: UUID, request: BackfillRequest, principal: Principal) -> BackfillRootsData:
    """The data of the command.

    Raises:
        ProblemError: 422, the contract would refuse it.
    """
    scope = request.scope
    if isinstance(scope, TimeWindow) and not (
        EARLIEST_TIME <= scope.from_ <= LATEST_TIME and EARLIEST_TIME <= scope.to <= LATEST_TIME
    ):
        raise invalid_body("scope", f"It lies outside of {EARLIEST_TIME:%Y} to {LATEST_TIME:%Y}.")
    data = BackfillRootsData(requested_by=principal.name, **asdict(request))
    command = BackfillRoots(id=str(run), source=SOURCE, time=EARLIEST_TIME, specversion="1.0", data=data)
    try:
        decode_command(encode(command))
    except InvalidMessageError as invalid:
        raise invalid_body("", invalid.sentence.replace("`data.", "`")) from None
    return data


def _queued(run: UUID, data: BackfillRootsData) -> BackfillRun:
    return BackfillRun(
        run=run,
        status=RunStatus.QUEUED,
        phase=BackfillPhase.WAITING,
        request=data,
        requested_at=datetime.now(UTC),
        started_at=None,
        finished_at=None,
        requested_action=None,
        rows=0,
        scanned=0,
        set_=0,
        left=0,
        by_class=RootCounts(),
        rows_per_second=0.0,
        error=None,
        report=None,
    )
