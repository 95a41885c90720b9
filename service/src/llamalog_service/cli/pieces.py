"""Answers that come in pieces, read as one: whoever asks at a terminal says how many rows, not pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from msgspec.structs import replace

from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import Tree, read_tree
from llamalog_service.queries.lineages import is_cut
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import MAX_LIMIT, Cursor, Page
from llamalog_service.queries.rows import LogRow
from llamalog_service.queries.timeline import Timeline, read_timeline

Lineage = TypeVar("Lineage", Timeline, Tree)
ReadMore = Callable[[int, Cursor | None], Awaitable[Lineage]]


async def whole_timeline(reader: Reader, entity: EntityRef, *, include_orphans: bool, limit: int) -> Timeline:
    """A timeline of up to so many entries; `next` tells that there are more.

    Raises:
        UnavailableError: PostgreSQL is away.
    """

    async def read(limit: int, after: Cursor | None) -> Timeline:
        return await read_timeline(reader, entity, include_orphans=include_orphans, limit=limit, after=after)

    return await _joined(read, limit)


async def whole_tree(reader: Reader, job: str, *, limit: int) -> Tree:
    """Everything below a job, up to so many entries; `next` tells that there are more.

    Raises:
        UnavailableError: PostgreSQL is away.
    """

    async def read(limit: int, after: Cursor | None) -> Tree:
        return await read_tree(reader, job, limit=limit, after=after)

    return await _joined(read, limit)


async def pages_of_rows(reader: Reader, wanted: LogFilter, *, limit: int) -> AsyncIterator[Page[LogRow]]:
    """The newest rows that are asked for, page by page, up to so many; a page may be empty.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    after: Cursor | None = None
    while True:
        page = await read_logs(reader, wanted, limit=min(limit, MAX_LIMIT), after=after)
        yield page
        limit -= len(page.items)
        if page.next is None or limit <= 0:
            return
        after = Cursor.parse(page.next)


async def _joined(read: ReadMore[Lineage], limit: int) -> Lineage:
    found = await read(min(limit, MAX_LIMIT), None)
    entries, parents = list(found.entries), dict(found.parents)
    while found.next is not None and len(entries) < limit:
        found = await read(min(limit - len(entries), MAX_LIMIT), Cursor.parse(found.next))
        entries += found.entries
        parents |= found.parents
    return replace(found, entries=tuple(entries), parents=parents, longer=is_cut(parents))
