"""What a form asks for, found or complained about; a search that no index helps goes on for a while first."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Generic, Protocol, TypeVar

from llamalog_service.http.web.form_parser import Asked
from llamalog_service.http.web.formatting import link
from llamalog_service.queries.paging import Cursor, Page

_TIMEOUT_SECONDS: Final = 1.0

T = TypeVar("T")


class Read(Protocol[T]):
    """A query that knows what is wanted, and is told where to go on."""

    def __call__(self, *, after: Cursor | None) -> Awaitable[Page[T]]:
        """A page of it."""


@dataclass(frozen=True, slots=True)
class Searched(Generic[T]):
    """What came of a form.

    Attributes:
        items: what was found; none where the form was not understood.
        status: of the answer.
        values: what a template shows of the form, of its complaints, and of the ways to other pages.
    """

    items: tuple[T, ...]
    status: HTTPStatus
    values: dict[str, Any]


async def search(path: str, asked: Asked, read: Read[T]) -> Searched[T]:
    """The page at `path` that a form asks for; all its fields have been read.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    after = asked.after()
    page = None if asked.complaints else await _first_found(read, after)
    return Searched(
        items=page.items if page else (),
        status=HTTPStatus.UNPROCESSABLE_ENTITY if page is None else HTTPStatus.OK,
        values={
            "asked": asked.texts,
            "filtered": asked.is_filtered,
            "complaints": asked.complaints,
            "first_page": after is None,
            "searched_to": page.searched_to if page else None,
            "next": link(path, **asked.texts, after=page.next) if page and page.next else None,
        },
    )


async def _first_found(read: Read[T], after: Cursor | None) -> Page[T]:
    """The first page that has anything, or what was reached in a second."""
    began = time.monotonic()
    page = await read(after=after)
    while not page.items and page.next is not None and time.monotonic() - began < _TIMEOUT_SECONDS:
        page = await read(after=Cursor.parse(page.next))
    return page
