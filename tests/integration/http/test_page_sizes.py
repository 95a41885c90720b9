"""Pages of rows that carry much: an answer stays small enough to be made, and no row is lost by that."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from harness.log_table import write_at_rest
from histories import event
from llamalog_schemas.events import EntityType, Event
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import read_tree
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import MAX_BYTES, MAX_LIMIT, Cursor
from llamalog_service.queries.timeline import read_timeline

ALBUM = EntityRef(type=EntityType.ALBUM, id=uuid4())
KIBIBYTE = 1024

LISTINGS: dict[str, Callable[..., Awaitable[Any]]] = {
    "newest": lambda reader, **page: read_logs(reader, LogFilter(), **page),
    "oldest": lambda reader, **page: read_logs(reader, LogFilter(), newest_first=False, **page),
    "of a root": lambda reader, **page: read_logs(reader, LogFilter(root="root"), **page),
    "timeline": lambda reader, **page: read_timeline(reader, ALBUM, **page),
    "tree": lambda reader, **page: read_tree(reader, "root", **page),
}


def carrying(number: int, parent: str | None, text: str, *, preview: bool = False) -> Event:
    plain = event(number, f"job-{number}" if parent else "root", parent)
    large: dict[str, Any] = {"preview_data": {"seen": text}} if preview else {"metadata": {"notes": text}}
    return replace(plain, data=replace(plain.data, album_id=ALBUM.id, **large))


@pytest.fixture
async def reader(pool: asyncpg.Pool) -> AsyncIterator[Reader]:
    yield Reader(pool)


def ids_of(page: Any) -> list[UUID]:
    rows = page.items if hasattr(page, "items") else [entry.row for entry in page.entries]
    return [row.id for row in rows]


async def pages_of(read: Callable[..., Awaitable[Any]]) -> list[Any]:
    pages, after = [], None
    while True:
        page = await read(limit=MAX_LIMIT, after=after)
        pages.append(page)
        if page.next is None:
            return pages
        after = Cursor.parse(page.next)


@pytest.mark.parametrize("listing", LISTINGS)
async def test_a_page_ends_before_its_rows_carry_too_much(
    pool: asyncpg.Pool, reader: Reader, listing: str
) -> None:
    rows = [
        carrying(
            number,
            "root" if number else None,
            chr(97 + number % 26) * 200 * KIBIBYTE,
            preview=number % 2 == 0,
        )
        for number in range(100)
    ]
    await write_at_rest(pool, fold(rows).values(), at_once=50)
    stored = await pool.fetchval("SELECT sum(pg_column_size(metadata)) FROM llama_logs")
    assert stored < MAX_BYTES, "compressed, all of it would fit"
    pages = await pages_of(partial(LISTINGS[listing], reader))
    assert [len(ids_of(page)) for page in pages] == [40, 40, 20]
    assert all(len(msgspec.json.encode(page)) < MAX_BYTES + 100 * KIBIBYTE for page in pages)
    ids = list(chain.from_iterable(map(ids_of, pages)))
    assert len(ids) == len(set(ids)) == len(rows)


@pytest.mark.parametrize("listing", LISTINGS)
async def test_a_row_that_carries_more_than_a_page_may_is_a_page(
    pool: asyncpg.Pool, reader: Reader, listing: str
) -> None:
    rows = [carrying(number, "root" if number else None, "x") for number in range(5)]
    await write_at_rest(pool, fold(rows).values())
    await pool.execute(
        "UPDATE llama_logs SET metadata = jsonb_build_object('notes', repeat('y', $1)) "
        "WHERE job_id IN ('root', 'job-2')",
        MAX_BYTES + 1,
    )
    pages = await pages_of(partial(LISTINGS[listing], reader))
    assert sorted(len(ids_of(page)) for page in pages) == [1, 1, 1, 2]
    ids = list(chain.from_iterable(map(ids_of, pages)))
    assert len(ids) == len(set(ids)) == 5
