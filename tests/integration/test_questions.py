"""Every question to the log, held against plain Python over all rows of random histories."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace as with_changes
from datetime import timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.log_oracle import LogOracle, Row, read_oracle
from harness.log_table import empty_tables
from histories import NOON, histories
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
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.fold import fold
from llamalog_service.queries import logs, root_jobs
from llamalog_service.queries.counts import (
    Bucket,
    TooManyBucketsError,
    read_counts,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.entities import read_entity_summary
from llamalog_service.queries.jobs import read_chain, read_children, read_tree
from llamalog_service.queries.lineages import Entry
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.names import EntityRef, read_names
from llamalog_service.queries.paging import Cursor, Page, collect
from llamalog_service.queries.root_jobs import RootFilter, read_root_jobs
from llamalog_service.queries.rows import read_row
from llamalog_service.queries.timeline import Timeline, read_timeline
from llamalog_service.store.connection import prepare_connection
from llamalog_service.store.log import LogStore
from llamalog_service.store.positions import Positions
from llamalog_service.store.reader import Reader

ENTITIES = [EntityRef(type=kind, id=UUID(int=number)) for kind in EntityType for number in (1, 2, 3)]
KINDS = [EntityCreated, EntityLinked, EntityEnriched, EntityCached, EntityFailed]
ODD_TIMES = ["infinity", "-infinity", "0044-03-15 10:00:00 BC", "12026-01-01 00:00:00"]
T = TypeVar("T")


def told_fully(history: list[Event], seed: int) -> list[Event]:
    """The events of a history about few albums, artists and tracks, and with all sorts of words."""
    return [_told(Random(f"{seed} {event.id}"), event) for event in history]


def _told(dice: Random, event: Event) -> Event:
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
    return kind(id=event.id, source=event.source, time=event.time, specversion="1.0", data=data)


async def write(pool: asyncpg.Pool, events: list[Event]) -> None:
    """The table at rest, as the fold has it."""
    rows = list(fold(events).values())
    nothing = Positions("tests", "entity-events", {})
    await LogStore(pool).record([row.content for row in rows], [row.root for row in rows], [], nothing)


async def make_odd(pool: asyncpg.Pool, dice: Random) -> None:
    """Let some rows be as only legacy rows can: times without a date, JSON that is no object, not looked at."""
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


Story = Callable[[asyncpg.Pool, LogOracle, Random], Coroutine[Any, Any, None]]


def ask_many(database_url: str, ask: Story, examples: int = 25, *, odd: bool = True) -> None:
    """Ask of the tables that many histories become, every other one with odd rows."""

    async def open_pool() -> asyncpg.Pool:
        return await asyncpg.create_pool(
            database_url,
            min_size=1,
            max_size=2,
            init=prepare_connection,
            server_settings={"enable_seqscan": "off", "timezone": "UTC", "jit": "off"},
        )

    with asyncio.Runner() as runner:
        pool = runner.run(open_pool())

        async def play(history: list[Event], seed: int) -> None:
            await empty_tables(pool)
            await write(pool, told_fully(history, seed))
            if odd and seed % 2:
                await make_odd(pool, Random(seed))
            await ask(pool, await read_oracle(pool), Random(seed))

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(history=histories(), seed=st.integers(0, 2**32))
        def every_history(history: list[Event], seed: int) -> None:
            runner.run(play(history, seed))

        try:
            every_history()
        finally:
            runner.run(pool.close())


async def all_entries(read: Callable[..., Awaitable[Any]], limit: int) -> list[Entry]:
    """The entries of all pages."""
    entries: list[Entry] = []
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


def ids(entries: list[Entry]) -> list[UUID]:
    return [entry.row.id for entry in entries]


def rows_of(rows: list[Row]) -> list[UUID]:
    return [row.id for row in rows]


async def assert_reads(
    oracle: LogOracle, read: Callable[..., Awaitable[Any]], expected: list[Row], dice: Random
) -> None:
    """One piece is in the order for people; small pieces hold the same rows, times ascending."""
    whole = await all_entries(read, 500)
    if all(-1e10 < row.at < 1e11 for row in expected):
        assert ids(whole) == rows_of(expected)
    depths = {row.id: oracle.depth(row) for row in expected}
    assert {entry.row.id: entry.depth for entry in whole} == depths
    for entry in whole:
        job = entry.row.job_id
        assert entry.parent == (entry.row.parent_job_id if job is None else oracle.parent(job))
    pieces = await all_entries(read, dice.randint(1, 4))
    assert sorted(ids(pieces)) == sorted(depths), "nothing twice, nothing lost"
    times = {row.id: row.at for row in expected}
    assert [times[row] for row in ids(pieces)] == sorted(times.values())


def test_timelines_are_the_lineages_of_an_entitys_roots_and_its_rows_without_one(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for entity in ENTITIES:
            for orphans in (True, False):

                async def read(**paging: Any) -> Timeline:
                    return await read_timeline(
                        Reader(pool),
                        entity,
                        include_orphans=orphans,
                        **paging,  # noqa: B023
                    )

                expected = oracle.timeline(entity.type, entity.id, orphans=orphans)
                await assert_reads(oracle, read, expected, dice)

    ask_many(database_url, ask)


def test_trees_hold_all_that_hangs_on_a_job_at_its_true_depth(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        jobs = {row.job_id for row in oracle.rows} | {row.parent_job_id for row in oracle.rows}
        for job in {"never named", *jobs} - {None}:
            assert job is not None

            async def read(**paging: Any) -> Any:
                return await read_tree(Reader(pool), job, **paging)  # noqa: B023

            await assert_reads(oracle, read, oracle.tree(job), dice)

    ask_many(database_url, ask, odd=False)
