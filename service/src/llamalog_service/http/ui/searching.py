"""A search that no index helps goes on for a while before a page says that it found nothing yet."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from llamalog_service.queries.paging import Cursor, Page

_PATIENCE_SECONDS: Final = 1.0

T = TypeVar("T")


async def first_found(read: Callable[[Cursor | None], Awaitable[Page[T]]], after: Cursor | None) -> Page[T]:
    """The first page that has anything, or what was reached in a second.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    began = time.monotonic()
    page = await read(after)
    while not page.items and page.next is not None and time.monotonic() - began < _PATIENCE_SECONDS:
        page = await read(Cursor.parse(page.next))
    return page
