"""Request-scoped dependencies: the app's services, the principal and session of a request, its path."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from llamalog_service.backfill.retractions import PublishedRetraction
from llamalog_service.backfill.root_overrides import PublishedOverride
from llamalog_service.dead_letters.correction import Correction, Document
from llamalog_service.dead_letters.listing import DeadLetterViews
from llamalog_service.http.access import Access, Principal, Scope, require
from llamalog_service.http.backfill_service import BackfillService
from llamalog_service.http.health import HealthMonitor
from llamalog_service.http.sessions import Session, Sessions
from llamalog_service.http.streams import Streams
from llamalog_service.live_feed.feed import LiveFeed
from llamalog_service.personal_data.erasure import ErasureReport
from llamalog_service.postgres.reader import Reader
from llamalog_service.telemetry.metrics import Metrics


class OverrideRoot(Protocol):
    """Publishes a root override."""

    def __call__(
        self, job: str, *, adopted: bool, reason: str, requested_by: str
    ) -> Awaitable[PublishedOverride]:
        """Adopt a job never seen as a root, or revoke that.

        Raises:
            LlamalogError: it would have no effect, or the contract refuses it.
            UnavailableError: Kafka is away.
        """


class RetractEvent(Protocol):
    """Takes events back."""

    def __call__(
        self,
        row: UUID,
        *,
        retracted: bool,
        reason: str,
        requested_by: str,
        producer: str | None,
        unseen: bool,
    ) -> Awaitable[PublishedRetraction]:
        """Take back the event of a row, or revoke that.

        Args:
            producer: the only one whose events may be taken back; None: all.
            unseen: whether an event may be taken back that is not in the log.

        Raises:
            RowUnknownError: it is not in the log.
            NotItsProducerError: it is another producer's.
            LlamalogError: it would change nothing, or the contract refuses it.
            UnavailableError: PostgreSQL or Kafka is away.
        """


class CorrectDeadLetter(Protocol):
    """Corrects dead letters."""

    def __call__(
        self, partition: int, offset: int, event: Document, *, reason: str | None, requested_by: str
    ) -> Awaitable[Correction]:
        """Send the right event of a dead letter; the row that bears its former id is taken back first.

        Args:
            partition, offset: its position in the topic of dead letters.

        Raises:
            DeadLetterNotFoundError: there is none at this position.
            LlamalogError: the contract refuses the event.
            UnavailableError: PostgreSQL or Kafka is away.
        """


class EraseUser(Protocol):
    """Erases a person."""

    def __call__(
        self, user: str, *, reason: str, requested_by: str, is_dry_run: bool
    ) -> Awaitable[ErasureReport]:
        """Count what is stored about a person, and, unless it is a dry run, order its erasure.

        Raises:
            LlamalogError: the contract refuses it, or there is no topic of dead letters.
            UnavailableError: PostgreSQL or Kafka is away.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Services that need Kafka; the composition root builds them."""

    backfills: BackfillService
    dead_letters: DeadLetterViews
    override_root: OverrideRoot
    retract_event: RetractEvent
    correct_dead_letter: CorrectDeadLetter
    erase_user: EraseUser
    health: HealthMonitor
    feed: LiveFeed


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The objects that an app was built with.

    Attributes:
        reader: for the queries.
    """

    reader: Reader
    services: Services
    metrics: Metrics
    access: Access
    sessions: Sessions
    streams: Streams


def path_of(request: HTTPConnection) -> str:
    """The path by which routes are found.

    `request.url` is no substitute: it is composed of the Host header and the query string, too, so that a
    crafted header could make it fail, or pass for another path.
    """
    path: str = request.scope["path"]
    return path


def path_and_query(request: HTTPConnection) -> str:
    """The path with its query string, as a link within this site; without a query that is no text."""
    query = request.scope["query_string"].decode("ascii", errors="replace")
    return f"{path_of(request)}?{query}" if query and query.isascii() else path_of(request)


def is_page(request: HTTPConnection) -> bool:
    """Whether the path is one of the pages for people."""
    path = path_of(request)
    return path in ("/ui", "/docs") or path.startswith("/ui/")


async def context_of(request: Request) -> Context:
    """The context of the request's app."""
    context: Context = request.app.state.context
    return context


async def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.context.reader
    return reader


async def _services(request: Request) -> Services:
    services: Services = request.app.state.context.services
    return services


async def _session(request: Request) -> Session | None:
    session: Session | None = request.state.session
    return session


async def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


async def _client(request: Request) -> str:
    access: Access = request.app.state.context.access
    if access.is_open:
        return request.client.host if request.client is not None else ""
    return (await _principal(request)).name


async def _operator(request: Request) -> Principal:
    principal = await _principal(request)
    require(principal, Scope.OPERATE)
    return principal


async def _retractor(request: Request) -> Principal:
    principal = await _principal(request)
    if principal.producer is None:
        require(principal, Scope.ADMIN)
    return principal


async def _admin(request: Request) -> Principal:
    principal = await _principal(request)
    require(principal, Scope.ADMIN)
    return principal


ContextDep = Annotated[Context, Depends(context_of)]
ReaderDep = Annotated[Reader, Depends(_reader)]
ServicesDep = Annotated[Services, Depends(_services)]
SessionDep = Annotated[Session | None, Depends(_session)]
"""The browser's session; None for a program, and on a first visit where there are no tokens."""
PrincipalDep = Annotated[Principal, Depends(_principal)]
"""The principal of the request; every principal may read."""
ClientDep = Annotated[str, Depends(_client)]
"""The client that limits are of: the principal; the address where there are no tokens."""
OperatorDep = Annotated[Principal, Depends(_operator)]
RetractorDep = Annotated[Principal, Depends(_retractor)]
"""An administrator, or a producer, who may take back its own events."""
AdminDep = Annotated[Principal, Depends(_admin)]
