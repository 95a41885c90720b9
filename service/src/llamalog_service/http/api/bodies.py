"""Bodies of requests: JSON, decoded into the type that the route takes."""

import re
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from fastapi import Request

from llamalog_schemas.limits import MAX_NESTING
from llamalog_schemas.nesting import nested_deeper_than
from llamalog_service.http.problems import Fault, ProblemError, not_valid

Body = TypeVar("Body")

_PLACE: Final = re.compile(r"(?P<detail>.*?)(?: - at `\$\.?(?P<place>[^`]*)`)?", re.DOTALL)


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The body of a request.

    Raises:
        ProblemError: 415, 400 or 422: it is not what is taken here.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body has to be JSON, told as `Content-Type: application/json`.",
        )
    body = await request.body()
    if nested_deeper_than(body, MAX_NESTING):
        raise _invalid(f"it is nested deeper than {MAX_NESTING} levels")
    try:
        return msgspec.json.decode(body.decode(), type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, f"The body is no JSON: {error}.", kind="not-json"
        ) from None


def invalid_body(place: str, detail: str) -> ProblemError:
    """422: a part of the body cannot be."""
    return not_valid([Fault(where=f"body.{place}" if place else "body", detail=detail)])


def _invalid(complaint: str) -> ProblemError:
    found = _PLACE.fullmatch(complaint)
    place, detail = (found["place"] or "", found["detail"]) if found else ("", complaint)
    return invalid_body(place, detail)
