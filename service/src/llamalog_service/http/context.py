"""What a request is answered with: handed in once, found by every route and every page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from llamalog_service.http.access import Access, Principal, Scope, require
from llamalog_service.http.operations import Operations
from llamalog_service.http.run_accepted import AskedRuns
from llamalog_service.http.sessions import Session, Sessions
from llamalog_service.http.streams import Streams
from llamalog_service.postgres.statements import Reader
from llamalog_service.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Context:
    """What the app was built with.

    Attributes:
        reader: for the queries.
        operations: what needs Kafka.
        metrics: told what took how long.
        streams: those under way.
        asked: the backfills that were asked for here.
    """

    reader: Reader
    operations: Operations
    metrics: Metrics
    access: Access
    sessions: Sessions
    streams: Streams
    asked: AskedRuns


def context_of(request: Request) -> Context:
    """That of the app which answers."""
    context: Context = request.app.state.context
    return context


def principal_of(request: Request) -> Principal:
    """Whoever asks; the guard has let nobody else in."""
    principal: Principal = request.state.principal
    return principal


def session_of(request: Request) -> Session | None:
    """The session of a browser; None of a program, and on a first visit where there are no tokens."""
    session: Session | None = request.state.session
    return session


def _reader(request: Request) -> Reader:
    return context_of(request).reader


def _operations(request: Request) -> Operations:
    return context_of(request).operations


def _metrics(request: Request) -> Metrics:
    return context_of(request).metrics


def _operator(request: Request) -> Principal:
    principal = principal_of(request)
    require(principal, Scope.OPERATE)
    return principal


def _admin(request: Request) -> Principal:
    principal = principal_of(request)
    require(principal, Scope.ADMIN)
    return principal


TheContext = Annotated[Context, Depends(context_of)]
TheReader = Annotated[Reader, Depends(_reader)]
TheOperations = Annotated[Operations, Depends(_operations)]
TheMeasures = Annotated[Metrics, Depends(_metrics)]
Somebody = Annotated[Principal, Depends(principal_of)]
"""Whoever asks; all may read."""
AnOperator = Annotated[Principal, Depends(_operator)]
AnAdmin = Annotated[Principal, Depends(_admin)]
