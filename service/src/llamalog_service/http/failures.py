"""Every error as a problem: for programs as JSON, for people as a page."""

from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from llamalog_service.domain.errors import LlamalogError, RowRefusedError, TookTooLongError, UnavailableError
from llamalog_service.http.paths import path_of
from llamalog_service.http.problems import Fault, ProblemError, not_valid, problem_response
from llamalog_service.http.web.pages import error_page, is_page
from llamalog_service.queries.counts import TooManyBucketsError
from llamalog_service.queries.paging import InvalidCursorError

_log = structlog.get_logger("llamalog.http")

_AGAIN_SECONDS: Final = "2"


def tell_failures(app: FastAPI) -> None:
    """Let an app answer every error with a problem."""
    for kind in (ProblemError, HTTPException, RequestValidationError, LlamalogError):
        app.add_exception_handler(kind, _answer)


def failure_response(request: Request, error: ProblemError) -> Response:
    """A problem as whoever asked can read it."""
    if is_page(request):
        return error_page(request, error)
    return problem_response(error, path_of(request))


def defect_response(request: Request, error: Exception) -> Response:
    """What is answered where nothing foresaw an error; the log has all of it."""
    _log.error("defect", path=path_of(request), exc_info=error)
    return failure_response(
        request,
        ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "This is a defect of llamalog; its log has more of it. Please report it.",
        ),
    )


async def _answer(request: Request, error: Exception) -> Response:
    return failure_response(request, _as_problem(request, error))


def _as_problem(request: Request, error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _of_routing(request, error)
        case LlamalogError():
            return _of_ours(request, error)
        case _:
            raise error


def _of_ours(request: Request, error: LlamalogError) -> ProblemError:
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
                f"{_who(error)} does not answer at the moment. Nothing was changed. Ask again in a while.",
                kind="unavailable",
                headers={"Retry-After": _AGAIN_SECONDS},
            )
        case InvalidCursorError() | TooManyBucketsError():
            return not_valid([Fault(where="query", detail=str(error))])
        case RowRefusedError():
            return not_valid([Fault(where="query", detail="PostgreSQL cannot hold a value of it.")])
        case _:
            return ProblemError(HTTPStatus.CONFLICT, str(error), kind="refused")


def _invalid(error: RequestValidationError) -> ProblemError:
    """What FastAPI found; the values themselves are not repeated: one of them may be a secret."""
    faults = [
        Fault(where=".".join(str(part) for part in found["loc"]), detail=str(found["msg"]))
        for found in error.errors()
    ]
    return not_valid(faults)


def _of_routing(request: Request, error: HTTPException) -> ProblemError:
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND:
        detail = "There is nothing under this path. /openapi.json and /docs tell what there is."
    elif status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        detail = f"{request.method} is not allowed here, but {headers['Allow']}."
    return ProblemError(status, detail, headers=headers)


def _methods(request: Request) -> set[str]:
    """Of all routes with this path; the framework names those of the first one."""
    allowed: set[str] = set()
    for route in request.app.state.routes:
        if isinstance(route, Route) and route.path_regex.match(path_of(request)):
            allowed |= route.methods or set()
    return allowed | {"HEAD"} if "GET" in allowed else allowed


def _who(error: UnavailableError) -> str:
    return "PostgreSQL" if str(error).startswith("PostgreSQL") else "Kafka"
