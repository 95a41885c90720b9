"""Parameters that several routes take, with their limits: as JSON and RFC 3339 write them, nothing else."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import Path, Query
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from llamalog_schemas.events import EntityType
from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_service.queries.paging import DEFAULT_LIMIT, MAX_LIMIT, Cursor

LONGEST_WORD: Final = 100
LONGEST_SEARCH: Final = 200
_LONGEST_CURSOR: Final = 500

_NO_NUL: Final = r"^[^\x00]*$"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# PostgreSQL reaches further than Python, and what is subtracted from these stays within both.
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def _whole(said: Any) -> Any:
    """Pydantic takes `1_0` and `1.0`, too."""
    if isinstance(said, str) and not _WHOLE.fullmatch(said):
        raise ValueError("It is no whole number.")
    return said


def _yes_or_no(said: Any) -> Any:
    if isinstance(said, str) and said not in ("true", "false"):
        raise ValueError("It is neither `true` nor `false`.")
    return said


def _uuid(said: Any) -> Any:
    if isinstance(said, str) and not _UUID.fullmatch(said):
        raise ValueError("It is no UUID, such as 6b1f0c5e-0f4e-4c0e-9f0a-3a8f2f8f4c11.")
    return said


def _moment(said: Any) -> Any:
    """A moment with a zone; one that no row can have is as good as the first or the last that can."""
    if not isinstance(said, str):
        return said
    try:
        moment = msgspec.convert(said, datetime)
    except msgspec.ValidationError:
        raise ValueError("It is no moment. One looks like 2026-02-10T10:30:00Z.") from None
    if moment.tzinfo is None:
        raise ValueError("It has no zone. One with a zone looks like 2026-02-10T10:30:00Z.")
    try:
        return min(max(moment.astimezone(UTC), _FIRST), _LAST)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


Text = Annotated[str, StringConstraints(pattern=_NO_NUL)]
Whole = Annotated[int, BeforeValidator(_whole)]
YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Uuid = Annotated[UUID, BeforeValidator(_uuid)]
Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
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
        max_length=_LONGEST_CURSOR,
        description="Go on behind this place: the `next` of the page before, unchanged.",
    ),
]
Type = Annotated[EntityType, Path(alias="type", description="What kind of thing.")]
Id = Annotated[Uuid, Path(alias="id", description="The entity's id.")]
Since = Annotated[
    Moment | None,
    Query(description="Only what was created then or later.", examples=["2026-02-10T10:30:00Z"]),
]
Until = Annotated[
    Moment | None, Query(description="Only what was created before.", examples=["2026-03-01T00:00:00Z"])
]


def word(description: str, *examples: str) -> Any:
    """A query parameter that is a word of the log."""
    return Query(min_length=1, max_length=LONGEST_WORD, description=description, examples=list(examples))


def search(description: str, *examples: str) -> Any:
    """A query parameter that is looked for in texts."""
    return Query(min_length=1, max_length=LONGEST_SEARCH, description=description, examples=list(examples))


def cursor(text: str | None) -> Cursor | None:
    """The place that a page told.

    Raises:
        InvalidCursorError: it told no such.
    """
    return None if text is None else Cursor.parse(text)
