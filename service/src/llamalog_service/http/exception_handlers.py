"""Exception handlers: every error becomes a problem, as JSON for programs and as a page for people."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from llamalog_service.backfill.retractions import NotItsProducerError, RowUnknownError
from llamalog_service.dead_letters.selection import DeadLetterNotFoundError
from llamalog_service.domain.errors import LlamalogError, RowRefusedError, TookTooLongError, UnavailableError
from llamalog_service.http.context import is_page, path_of
from llamalog_service.http.problems import Fault, ProblemError, not_valid, problem_response
from llamalog_service.http.web.pages import error_page
from llamalog_service.queries.counts import TooManyBucketsError
from llamalog_service.queries.paging import InvalidCursorError
from llamalog_service.queries.root_changes import HistoryTooShortError

_log = structlog.get_logger("llamalog.http")

_RETRY_AFTER_SECONDS: Final = "2"
_STATUSES: Final[Mapping[type[LlamalogError], tuple[HTTPStatus, str]]] = {
    DeadLetterNotFoundError: (HTTPStatus.NOT_FOUND, "unknown-dead-letter"),
    RowUnknownError: (HTTPStatus.NOT_FOUND, "unknown-row"),
    NotItsProducerError: (HTTPStatus.FORBIDDEN, "producer"),
}


def add_exception_handlers(app: FastAPI) -> None:
    """Handle every expected exception of an app with a problem."""
    for kind in (ProblemError, HTTPException, RequestValidationError, LlamalogError):
        app.add_exception_handler(kind, _handle)


def error_response(request: Request, error: ProblemError) -> Response:
    """A problem, as a page or as JSON by the request's path."""
    if is_page(request):
        return error_page(request, error)
    return problem_response(error, path_of(request))


def unexpected_error_response(request: Request, error: Exception) -> Response:
    """A problem for an error without a handler; the log has its traceback."""
    _log.error("defect", path=path_of(request), exc_info=error)
    return error_response(
        request,
        ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "This is a defect of llamalog; its log has more of it. Please report it.",
        ),
    )


async def _handle(request: Request, error: Exception) -> Response:
    return error_response(request, _problem_of(request, error))


def _problem_of(request: Request, error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return _validation_problem(error)
        case HTTPException():
            return _routing_problem(request, error)
        case LlamalogError():
            return _domain_problem(request, error)
        case _:
            raise error


def _domain_problem(request: Request, error: LlamalogError) -> ProblemError:
    match error:
        case TookTooLongError():
            _log.warning("took too long", path=path_of(request), reason=str(error))
            return ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{error} Ask for less: a shorter time (since, until), a smaller page (limit) or a "
                "narrower filter.",
                kind="took-too-long",
            )
        case UnavailableError():
            _log.warning("unavailable", path=path_of(request), reason=str(error))
            return ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{_unavailable_system(error)} does not answer at the moment. Nothing was changed. Ask again "
                "in a while.",
                kind="unavailable",
                headers={"Retry-After": _RETRY_AFTER_SECONDS},
            )
        case InvalidCursorError() | TooManyBucketsError() | HistoryTooShortError():
            return not_valid([Fault(where="query", detail=str(error))])
        case RowRefusedError():
            return not_valid([Fault(where="query", detail="PostgreSQL cannot hold a value of it.")])
        case _:
            status, kind = _STATUSES.get(type(error), (HTTPStatus.CONFLICT, "refused"))
            return ProblemError(status, str(error), kind=kind)


def _validation_problem(error: RequestValidationError) -> ProblemError:
    """The faults that FastAPI found, without the values: one of them may be a secret."""
    faults = [
        Fault(where=".".join(str(part) for part in found["loc"]), detail=str(found["msg"]))
        for found in error.errors()
    ]
    return not_valid(faults)


def _routing_problem(request: Request, error: HTTPException) -> ProblemError:
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND:
        detail = "There is nothing under this path. /openapi.json and /docs list all operations."
    elif status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        detail = f"{request.method} is not allowed here, but {headers['Allow']}."
    return ProblemError(status, detail, headers=headers)


def _methods(request: Request) -> set[str]:
    """The methods of all routes with this path; the framework names those of the first one."""
    allowed: set[str] = set()
    for route in request.app.state.routes:
        if isinstance(route, Route) and route.path_regex.match(path_of(request)):
            allowed |= route.methods or set()
    return allowed | {"HEAD"} if "GET" in allowed else allowed


def _unavailable_system(error: UnavailableError) -> str:
    return "PostgreSQL" if str(error).startswith("PostgreSQL") else "Kafka"
