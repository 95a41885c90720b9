"""Parts that all routes of the API share: strict routers, query and path parameters, bodies, JSON responses.

Values are taken as JSON and RFC 3339 write them, and in no other form that Pydantic would accept.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from http import HTTPStatus
from typing import Annotated, Any, Final, TypedDict, TypeVar
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from msgspec import Struct
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_schemas.limits import MAX_JOB_LENGTH, MAX_NESTING, nested_deeper_than
from llamalog_service.http.api.openapi import PROBLEMS
from llamalog_service.http.problems import Fault, ProblemError, invalid_body, not_valid
from llamalog_service.queries.paging import DEFAULT_LIMIT, MAX_LIMIT, Cursor

Body = TypeVar("Body")

_MAX_LABEL_LENGTH: Final = 100
_MAX_SEARCH_LENGTH: Final = 200
_MAX_CURSOR_LENGTH: Final = 500
_SLICE_BYTES: Final = 512 * 1024
_MAX_FAULTS: Final = 20
"""A query string has room for thousands."""

_NO_NUL: Final = r"^[^\x00]*$"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BODY_ERROR: Final = re.compile(r"(?P<detail>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)

# PostgreSQL reaches further than Python, and what is subtracted from these stays within both.
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


async def check_query(request: Request) -> None:
    """Refuse query parameters that are unknown or repeated: a typing error must not widen a query.

    Pydantic's `extra="forbid"` covers neither repeated parameters nor routes without any.

    Raises:
        ProblemError: 422.
    """
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = {
        field.alias
        for field in get_flat_params(route.dependant)
        if isinstance(field.field_info, params.Query)
    }
    faults: list[Fault] = []
    for name in dict.fromkeys(request.query_params.keys()):
        if len(faults) == _MAX_FAULTS:
            break
        if name not in known:
            faults.append(Fault(where=f"query.{name[:60]}", detail=_unknown_parameter(name, known)))
        elif len(request.query_params.getlist(name)) > 1:
            faults.append(Fault(where=f"query.{name}", detail="It is given more than once."))
    if faults:
        raise not_valid(faults)


def _unknown_parameter(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"There is no such parameter. Did you mean `{close[0]}`?"
    if not known:
        return "There is no such parameter; none is taken here."
    return f"There is no such parameter; there are {', '.join(sorted(known))}."


def router(tag: str) -> APIRouter:
    """A router whose routes check their query parameters, and document the problems of every request."""
    return APIRouter(tags=[tag], dependencies=[Depends(check_query)], responses=PROBLEMS)


def _whole(value: Any) -> Any:
    """Pydantic takes `1_0` and `1.0`, too."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("It is no whole number.")
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("It is neither `true` nor `false`.")
    return value


def _uuid(value: Any) -> Any:
    if isinstance(value, str) and not _UUID.fullmatch(value):
        raise ValueError("It is no UUID, such as 6b1f0c5e-0f4e-4c0e-9f0a-3a8f2f8f4c11.")
    return value


def _timestamp(value: Any) -> Any:
    """A time with a zone; one outside of what a row can have becomes the first or the last that it can."""
    if not isinstance(value, str):
        return value
    try:
        timestamp = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        raise ValueError("It is no timestamp. One looks like 2026-02-10T10:30:00Z.") from None
    if timestamp.tzinfo is None:
        raise ValueError("It has no zone. One with a zone looks like 2026-02-10T10:30:00Z.")
    try:
        return min(max(timestamp.astimezone(UTC), _FIRST), _LAST)
    except OverflowError:
        return _FIRST if timestamp.year == 1 else _LAST


Text = Annotated[str, StringConstraints(pattern=_NO_NUL)]
Whole = Annotated[int, BeforeValidator(_whole)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Uuid = Annotated[UUID, BeforeValidator(_uuid)]
Timestamp = Annotated[
    datetime, BeforeValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})
]

Job = Annotated[
    Text,
    Query(
        min_length=1,
        max_length=MAX_JOB_LENGTH,
        description="A job's id, any characters.",
        examples=["album-create-42"],
    ),
]
Limit = Annotated[
    Whole, Query(ge=1, le=MAX_LIMIT, description="The most items of a page.", examples=[DEFAULT_LIMIT])
]
CursorText = Annotated[
    Text | None,
    Query(
        alias="after",
        max_length=_MAX_CURSOR_LENGTH,
        description="Continue behind this cursor: the `next` of the page before, unchanged.",
    ),
]
Type = Annotated[EntityType, Path(alias="type", description="The type of the entity.")]
Id = Annotated[Uuid, Path(alias="id", description="The entity's id.")]
Since = Annotated[
    Timestamp | None,
    Query(description="Only rows created then or later.", examples=["2026-02-10T10:30:00Z"]),
]
Until = Annotated[
    Timestamp | None, Query(description="Only rows created before.", examples=["2026-03-01T00:00:00Z"])
]
AsOf = Annotated[
    Timestamp | None,
    Query(
        alias="asOf",
        description="As it was believed then: roots, origins and parents of that time, without rows "
        "recorded later. A time before the history of roots is refused.",
        examples=["2026-02-10T10:30:00Z"],
    ),
]


def label(description: str, *examples: str) -> Any:
    """A query parameter that is compared with a label of rows, such as their category."""
    return Query(min_length=1, max_length=_MAX_LABEL_LENGTH, description=description, examples=list(examples))


def search(description: str, *examples: str) -> Any:
    """A query parameter that is searched for in texts."""
    return Query(
        min_length=1, max_length=_MAX_SEARCH_LENGTH, description=description, examples=list(examples)
    )


class PageArguments(TypedDict):
    """The page that a request asks for, as queries take it."""

    limit: int
    after: Cursor | None


async def _page(limit: Limit = DEFAULT_LIMIT, after: CursorText = None) -> PageArguments:
    return {"limit": limit, "after": None if after is None else Cursor.parse(after)}


PageDep = Annotated[PageArguments, Depends(_page)]


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The JSON body of a request, decoded.

    Raises:
        ProblemError: 415, 400 or 422.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body has to be JSON, declared as `Content-Type: application/json`.",
        )
    body = await request.body()
    if nested_deeper_than(body, MAX_NESTING):
        raise invalid_body("", f"it is nested deeper than {MAX_NESTING} levels")
    try:
        return msgspec.json.decode(body.decode(), type=kind)
    except msgspec.ValidationError as error:
        found = _BODY_ERROR.fullmatch(str(error))
        path, detail = (found["path"] or "", found["detail"]) if found else ("", str(error))
        raise invalid_body(path, detail) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, f"The body is no JSON: {error}.", kind="not-json"
        ) from None


async def rows_response(page: Struct, field: str) -> Response:
    """A page of rows as JSON, encoded in slices: all of it at once would hold the event loop.

    Args:
        field: of the page, that has the rows.
    """
    encoded: list[msgspec.Raw] = []
    size = 0
    for row in getattr(page, field):
        encoded.append(msgspec.Raw(msgspec.json.encode(row)))
        size += len(encoded[-1])
        if size > _SLICE_BYTES:
            size = 0
            await asyncio.sleep(0)
    return json_response(msgspec.structs.replace(page, **{field: tuple(encoded)}))


def json_response(
    value: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as JSON."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/json",
    )
