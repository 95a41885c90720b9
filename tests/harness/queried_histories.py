"""Random histories about few albums, artists and tracks, and a table of them to be queried."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from harness.log_oracle import LogOracle, Row, read_oracle
from harness.log_table import empty_tables, stored_rows, write_at_rest
from histories import histories
from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCreated,
    EntityEnriched,
    EntityEvent,
    EntityFailed,
    EntityLinked,
    EntityType,
    Event,
    Status,
)
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.pool import create_pool
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.lineages import LineageEntry
from llamalog_service.queries.paging import Cursor, Page

ENTITIES = [EntityRef(type=kind, id=UUID(int=number)) for kind in EntityType for number in (1, 2, 3)]
KINDS = [EntityCreated, EntityLinked, EntityEnriched, EntityCached, EntityFailed]
ODD_TIMES = ["infinity", "-infinity", "0044-03-15 10:00:00 BC", "12026-01-01 00:00:00"]
T = TypeVar("T")


def with_full_data(history: list[Event], seed: int) -> list[Event]:
    """The events of a history about few albums, artists and tracks, and with all sorts of words."""
    return [_with_full_data(Random(f"{seed} {event.id}"), event) for event in history]


def _with_full_data(dice: Random, event: Event) -> Event:
    if not isinstance(event, EntityEvent):
        return event
    about = dice.choice([*ENTITIES, None])
    named = {f"{kind.lower()}_id": dice.choice([None, UUID(int=1), UUID(int=2)]) for kind in EntityType}
    kind = dice.choice(KINDS)
    data = replace(
        event.data,
        entity_type=about.type if about else EntityType.ALBUM,
        entity_id=about.id if about else None,
        operation=dice.choice(["track:created:test", "enrichment:album", "enrichment_album", "cache:50%"]),
        sources=tuple(dice.sample(["MUSICBRAINZ", "SPOTIFY", "DISCOGS"], dice.randrange(3))),
        status=dice.choice([Status.SUCCESS, Status.FAILED, Status.NO_DATA_AVAILABLE]),
        error_message=dice.choice([None, "It was 100% wrong", "timed OUT"]),
        error_code=dice.choice([None, "RATE_LIMITED"]),
        retry_count=dice.choice([None, 0, 3]),
        data_quality_after=dice.choice([None, DataQuality.HIGH]),
        metadata=dice.choice(
            [None, {}, {"title": "Kind of Blue"}, {"name": "Miles"}, {"title": "", "name": "M"}]
        ),
        user_id=dice.choice([None, "ann", "bob"]),
        **named,
    )
    if about is None and kind is not EntityFailed:
        kind = EntityFailed
    full: EntityEvent = kind(id=event.id, source=event.source, time=event.time, specversion="1.0", data=data)
    return full


async def make_odd(pool: asyncpg.Pool, dice: Random) -> None:
    """Let some rows be as only legacy rows can: no time that is a date, any JSON, not looked at."""
    ids = [record["id"] for record in await pool.fetch("SELECT id FROM llama_logs ORDER BY id")]
    for row in dice.sample(ids, len(ids) // 3):
        await pool.execute(
            dice.choice(
                [
                    f"UPDATE llama_logs SET created_at = '{dice.choice(ODD_TIMES)}' WHERE id = $1",
                    "UPDATE llama_logs SET metadata = '[1, \"title\"]' WHERE id = $1",
                    "UPDATE llama_logs SET metadata = '{\"title\": [1]}' WHERE id = $1",
                    "UPDATE llama_logs SET is_root_job = NOT is_root_job WHERE id = $1",
                    "UPDATE llama_logs SET origin = NULL, root_job_id = NULL, cycle_members = NULL, "
                    "parent_conflict = false WHERE id = $1",
                ]
            ),
            row,
        )


async def open_queried_pool(database_url: str) -> asyncpg.Pool:
    """Connections as the readers have them, that may write as well."""
    return await create_pool(
        database_url,
        min_size=1,
        max_size=2,
        server_settings={"enable_seqscan": "off", "timezone": "UTC", "jit": "off"},
    )


Story = Callable[[asyncpg.Pool, LogOracle, Random], Coroutine[Any, Any, None]]


def check_many(database_url: str, check: Story, examples: int = 12, *, odd: bool = True) -> None:
    """Check the tables that many histories become, every other one with odd rows."""

    with asyncio.Runner() as runner:
        pool = runner.run(open_queried_pool(database_url))

        async def play(history: list[Event], seed: int) -> None:
            await empty_tables(pool)
            await write_at_rest(pool, fold(with_full_data(history, seed)).values())
            if odd and seed % 2:
                await make_odd(pool, Random(seed))
            await check(pool, await read_oracle(pool), Random(seed))

        # Not made smaller: what fails has a seed, and every step queries a database.
        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        )
        @given(history=histories(), seed=st.integers(0, 2**32))
        def every_history(history: list[Event], seed: int) -> None:
            runner.run(play(history, seed))

        try:
            every_history()
        finally:
            runner.run(pool.close())


async def all_entries(read: Callable[..., Awaitable[Any]], limit: int) -> list[LineageEntry]:
    """The entries of all pages."""
    entries: list[LineageEntry] = []
    page = await read(limit=limit)
    while True:
        assert len(page.entries) <= limit
        entries += page.entries
        if page.next is None:
            return entries
        assert page.entries, "a page that goes on has entries"
        page = await read(limit=limit, after=Cursor.parse(page.next))


async def all_items(read: Callable[..., Awaitable[Page[T]]], limit: int) -> list[T]:
    """The items of all pages."""
    items: list[T] = []
    after: Cursor | None = None
    while True:
        page = await read(limit=limit, after=after)
        assert len(page.items) <= limit
        items += page.items
        if page.next is None:
            return items
        after = Cursor.parse(page.next)


def ids(entries: list[LineageEntry]) -> list[UUID]:
    return [entry.row.id for entry in entries]


def rows_of(rows: list[Row]) -> list[UUID]:
    return [row.id for row in rows]


async def come_to_rest(pool: asyncpg.Pool, so_far: list[Event]) -> None:
    """The table as the fold of these events has it; it was that of some of them: rows come, roots change."""
    rows = fold(so_far)
    stored = {row_id: row.root for row_id, row in (await stored_rows(pool)).items()}
    await write_at_rest(pool, [row for row_id, row in rows.items() if row_id not in stored])
    for row_id, root in stored.items():
        if root != rows[row_id].root:
            await pool.execute(
                "UPDATE llama_logs SET root_job_id = $2, origin = $3, cycle_members = $4, "
                "parent_conflict = $5, revision = revision + 1 WHERE id = $1",
                row_id,
                *astuple(rows[row_id].root),
            )
