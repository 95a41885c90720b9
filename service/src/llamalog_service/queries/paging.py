"""Pages of results: each begins behind the last row of the one before, also while rows are being recorded.

The order is that of time and id, which no row ever changes: rows that were there are neither repeated
nor lost while others arrive.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.postgres.statements import Row

MAX_LIMIT = 500
"""Items of a page at most."""

DEFAULT_LIMIT = 50
"""Items of a page by default."""

MAX_BYTES = 8 * 1024 * 1024
"""Of a page's rows, all their columns; a page ends before the row that would exceed it, but has one row."""

MAX_ROWS_SCANNED = 20_000
"""Rows scanned for one page, where no index leads to those that match."""

T = TypeVar("T")
C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)

_PLACE = re.compile(r"(?:-?infinity|\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: BC)?)\Z")
_LAST_ROW = UUID(int=2**128 - 1)


class InvalidCursorError(LlamalogError):
    """A text is no cursor of a page: leave it out, to begin at the start."""


class Cursor(NamedTuple):
    """A row's position in the order of time, the start of the next page; an opaque text to clients.

    Attributes:
        at: the row's time as PostgreSQL writes it: that of a legacy row may be out of Python's range.
        row: its id.
        is_root_job: whether the row calls itself a root job's; such rows come first among
            those of a lineage that have the same time.
    """

    at: str
    row: UUID
    is_root_job: bool = False

    def __str__(self) -> str:
        text = f"{self.at}/{self.row}/{self.is_root_job:d}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor in the `next` of a page.

        Raises:
            InvalidCursorError: it is none.
        """
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            at, row, is_root_job = urlsafe_b64decode(padded).decode("ascii").split("/")
            cursor = cls(at, UUID(row), {"0": False, "1": True}[is_root_job])
            _check_place(at)
        except (ValueError, KeyError):
            raise InvalidCursorError(
                f'"{text[:100]}" is no cursor: give the "next" of the answer before, or leave it out.'
            ) from None
        return cursor


def parse_cursor(text: str | None) -> Cursor | None:
    """The cursor in the `next` of a page; without a text the start.

    Raises:
        InvalidCursorError: the text is none.
    """
    return Cursor.parse(text) if text else None


class Page(Struct, Generic[T], frozen=True, kw_only=True, rename="camel"):
    """A part of a result.

    Attributes:
        items: may be fewer than the limit, even none, although `next` leads to more.
        next: the cursor of the next page; null at the end.
        searched_to: the time up to which rows were scanned, where a page is short because the scan
            would have taken too long; `next` continues from there.
    """

    items: tuple[T, ...]
    next: str | None = None
    searched_to: datetime | None = None


class _Read(Protocol[T, C_contra]):
    async def __call__(self, *, limit: int, after: C_contra) -> Page[T]: ...


async def read_pages(
    read: _Read[T, C], parse: Callable[[str | None], C], limit: int, after: str | None = None
) -> AsyncIterator[Page[T]]:
    """Pages in order, up to so many items or to the last one; a page may be empty.

    Args:
        read: one page.
        parse: makes of a page's `next`, or of None for the start, the cursor that `read` takes.

    Raises:
        InvalidCursorError: `after` is no cursor.
    """
    while limit > 0:
        page = await read(limit=limit, after=parse(after))
        yield page
        limit -= len(page.items)
        after = page.next
        if after is None:
            return


async def collect(
    read: _Read[T, C], parse: Callable[[str | None], C], limit: int, after: str | None = None
) -> Sequence[T]:
    """The items of as many pages as it takes to have so many, or all that there are.

    Arguments and errors are those of `read_pages`.
    """
    return [item async for page in read_pages(read, parse, limit, after) for item in page.items]


def page_of(found: Sequence[Row], limit: int, item: Callable[[Row], T]) -> Page[T]:
    """The page of a query that requested one row more than the limit."""
    return Page(items=tuple(map(item, found[:limit])), next=next_of(found, limit))


def next_of(found: Sequence[Row], limit: int) -> str | None:
    """The cursor behind the last row of a page, if the query found more than the page holds."""
    return str(position_of(found[limit - 1])) if len(found) > limit else None


OLDEST = Cursor("-infinity", UUID(int=0), is_root_job=True)
"""Before all rows."""

NEWEST = Cursor("infinity", _LAST_ROW)
"""Behind all rows."""

_BEFORE_CHRIST = Cursor("0001-12-31 23:59:59.999999 BC", _LAST_ROW, is_root_job=True)
"""Before the first time in Python's range; legacy rows may be older."""


def at_most(limit: int) -> int:
    """The number of items that a page may have of those requested: from 1 to `MAX_LIMIT`."""
    return max(1, min(limit, MAX_LIMIT))


def fitting(found: Sequence[Row], limit: int) -> int:
    """The size of a page of the found rows: at most so many, and none marked `beyond`."""
    return next((number for number, record in enumerate(found[:limit]) if record["beyond"]), limit)


def position_of(record: Row) -> Cursor:
    """The position of a row, of which a query gave `id`, `created_at`, `odd_time`, perhaps `is_root_job`."""
    at: str = record["odd_time"] or record["created_at"].replace(tzinfo=None).isoformat()
    return Cursor(at, UUID(bytes=record["id"].bytes), bool(record.get("is_root_job")))


def before(moment: datetime) -> Cursor:
    """The position before all rows of a time, or of later ones."""
    begins = naive_utc(moment)
    if begins == datetime.min:
        return _BEFORE_CHRIST
    return Cursor((begins - timedelta(microseconds=1)).isoformat(), _LAST_ROW, True)


def _check_place(at: str) -> None:
    if not _PLACE.match(at):
        raise ValueError(at)
    if at[0].isdigit() and at[4] == "-" and not at.endswith("BC"):
        datetime.fromisoformat(at)
