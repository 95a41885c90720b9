"""Problem details (RFC 9457): the body of every error, and the exception that ends a request with one."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

CONTENT_TYPE: Final = "application/problem+json"


class Fault(Struct, frozen=True, kw_only=True, rename="camel"):
    """An invalid part of a request.

    Attributes:
        where: `query`, `path`, `header` or `body`, and the path within it.
    """

    where: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, rename="camel"):
    """The reason why a request was refused or has failed.

    Attributes:
        type: names the kind of problem; `about:blank` where the status says it all.
        title: of the kind.
        detail: what was wrong here, and what to do.
        instance: the path of the request.
        errors: every invalid part.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[Fault, ...] = ()


class ProblemError(Exception):
    """Ends a request with a problem.

    Args:
        kind: makes the problem's type a URN; None leaves it to the status.
        headers: of the response.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        kind: str | None = None,
        title: str | None = None,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.type = "about:blank" if kind is None else f"urn:llamalog:problem:{kind}"
        self.title = title or status.phrase
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def problem_of(error: ProblemError, path: str) -> Problem:
    """The problem of an error, with the path of its request."""
    return Problem(
        type=error.type,
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=path,
        errors=error.errors,
    )


def problem_response(error: ProblemError, path: str) -> Response:
    """A response of `application/problem+json`."""
    return Response(
        msgspec.json.encode(problem_of(error, path)),
        status_code=error.status,
        headers=error.headers,
        media_type=CONTENT_TYPE,
    )


def not_found(detail: str) -> ProblemError:
    """A 404 of the kind `not-found`."""
    return ProblemError(HTTPStatus.NOT_FOUND, detail, kind="not-found")


def not_valid(faults: Sequence[Fault]) -> ProblemError:
    """A 422 that names every invalid part of the request."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "; ".join(f"{fault.where}: {fault.detail}" for fault in faults),
        kind="invalid-request",
        title="The request is not valid",
        errors=faults,
    )


def invalid_body(path: str, detail: str) -> ProblemError:
    """A 422 for a part of the body; an empty path means the whole of it."""
    return not_valid([Fault(where=f"body.{path}" if path else "body", detail=detail)])
