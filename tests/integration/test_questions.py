"""Every question to the log, held against plain Python over all rows of random histories."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
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
from llamalog_service.queries import logs
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
from llamalog_service.queries.paging import Cursor, InvalidCursorError, Page
from llamalog_service.queries.root_jobs import RootFilter, read_root_jobs
from llamalog_service.queries.timeline import read_timeline
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
    told: EntityEvent = kind(id=event.id, source=event.source, time=event.time, specversion="1.0", data=data)
    return told


async def write(pool: asyncpg.Pool, events: list[Event]) -> None:
    """The table at rest, as the fold has it."""
    rows = list(fold(events).values())
    nothing = Positions("tests", "entity-events", {})
    await LogStore(pool).record([row.content for row in rows], [row.root for row in rows], [], nothing)


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


Story = Callable[[asyncpg.Pool, LogOracle, Random], Coroutine[Any, Any, None]]


def ask_many(database_url: str, ask: Story, examples: int = 12, *, odd: bool = True) -> None:
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

        # Not made smaller: what fails has a seed, and every step asks a database.
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
    pieces = await all_entries(read, dice.randint(1, 5))
    assert sorted(ids(pieces)) == sorted(depths), "nothing twice, nothing lost"
    # Times that no date can be are told as the first and the last that can.
    times = {row.id: max(-6e10, min(row.at, 3e11)) for row in expected}
    assert [times[row] for row in ids(pieces)] == sorted(times.values())


def test_timelines_are_the_lineages_of_an_entitys_roots_and_its_rows_without_one(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for entity in dice.sample(ENTITIES, 3):
            orphans = dice.random() < 0.7
            read = partial(read_timeline, Reader(pool), entity, include_orphans=orphans)
            expected = oracle.timeline(entity.type, entity.id, orphans=orphans)
            await assert_reads(oracle, read, expected, dice)

    ask_many(database_url, ask)


def test_trees_hold_all_that_hangs_on_a_job_at_its_true_depth(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for job in dice.sample(["never named", *sorted(oracle.jobs)], 1 + len(oracle.jobs) // 2):
            await assert_reads(oracle, partial(read_tree, Reader(pool), job), oracle.tree(job), dice)

    ask_many(database_url, ask, odd=False)


def test_children_are_the_jobs_directly_below_by_the_claims_that_count(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        named = sorted({row.parent_job_id for row in oracle.rows if row.parent_job_id is not None})
        for job in dice.sample(named, min(4, len(named))):
            found = await all_items(partial(read_children, Reader(pool), job), dice.randint(1, 3))
            expected = oracle.children(job)
            assert [child.job for child in found] == [child for child, _ in expected]
            for child, (below, claim) in zip(found, expected, strict=True):
                said = [claim] if below is None else oracle.said_by(below)
                assert (child.rows, child.seen) == (len(said), True)
                assert child.failed == sum(row.failed for row in said)
                assert (child.category, child.status) == (said[0].category, said[-1].status)
                assert (child.operation, child.entity_id) == (said[0].operation, said[0].entity_id)
                assert child.name == said[0].name
                assert child.children == (0 if below is None else len(oracle.children(below)))

    ask_many(database_url, ask)


def test_a_chain_leads_from_the_topmost_job_named_down_to_the_job(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for job in dice.sample(sorted(oracle.jobs), min(4, len(oracle.jobs))):
            chain = await read_chain(Reader(pool), job)
            assert [link.job for link in chain.links] == oracle.upwards(job)[::-1]
            assert [link.seen for link in chain.links] == [link.job in oracle.seen for link in chain.links]
            assert not chain.longer
            own = oracle.said_by(job)
            if own:
                assert (chain.root, chain.origin) == (own[0].root_job_id, own[0].origin)
                assert list(chain.cycle) == (own[0].cycle_members or [])
            else:
                hanging = oracle.where(lambda row: row.parent_job_id == job)  # noqa: B023
                assert chain.root in {None, *(row.root_job_id for row in hanging)}

    ask_many(database_url, ask, odd=False)


def test_root_jobs_are_told_once_the_newest_first_with_what_is_under_them(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        wanted = RootFilter(
            category=dice.choice([None, "CREATED"]),
            status=dice.choice([None, "FAILED"]),
            user=dice.choice([None, None, "ann"]),
            q=dice.choice([None, None, "BLUE", "job-a", str(UUID(int=1))]),
        )
        found = await all_items(partial(read_root_jobs, Reader(pool), wanted), dice.randint(1, 3))
        expected = [
            row
            for row in oracle.root_jobs()
            if wanted.category in (None, row.category)
            and wanted.status in (None, row.status)
            and wanted.user in (None, row.user_id)
            and (
                wanted.q is None
                or wanted.q == str(row.entity_id)
                or any(wanted.q.lower() in text.lower() for text in searched_texts(row))
            )
        ]
        assert [job.row for job in found] == rows_of(expected)
        for job, row in zip(found, expected, strict=True):
            under = oracle.where(lambda other: other.root_job_id == job.job)  # noqa: B023
            assert job.job == row.root_job_id
            assert job.children == len([other for other in under if other.job_id != job.job])
            assert job.failed == sum(other.failed for other in under)
            if all(abs(other.at) < 1e10 for other in under):
                assert job.duration_ms == round(1000 * (max(other.at for other in under) - row.at))

    ask_many(database_url, ask)


def searched_texts(row: Row) -> list[str]:
    told = row.metadata if isinstance(row.metadata, dict) else {}
    names = [text for text in (told.get("title"), told.get("name")) if isinstance(text, str)]
    return [row.root_job_id or "", row.operation, *names]


def drawn_filter(dice: Random) -> tuple[LogFilter, Callable[[Row], bool]]:
    """A filter of a few words, and what it asks in Python."""
    start, end = NOON + timedelta(milliseconds=2), NOON + timedelta(milliseconds=5)
    choices: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
        ({"category": "LINKED"}, lambda row: row.category == "LINKED"),
        ({"category": "never heard of"}, lambda _: False),
        ({"status": "FAILED"}, lambda row: row.status == "FAILED"),
        ({"entity_type": EntityType.ARTIST}, lambda row: row.type == "ARTIST"),
        ({"entity_id": UUID(int=1)}, lambda row: row.entity_id == UUID(int=1)),
        ({"operation": "enrichment_*"}, lambda row: row.operation == "enrichment_album"),
        ({"operation": "cache:50%"}, lambda row: row.operation == "cache:50%"),
        ({"operation": "cache"}, lambda _: False),
        ({"source": "SPOTIFY"}, lambda row: "SPOTIFY" in row.sources),
        ({"user": "bob"}, lambda row: row.user_id == "bob"),
        ({"job": "job-a"}, lambda row: row.job_id == "job-a"),
        ({"root": "job-b"}, lambda row: row.root_job_id == "job-b"),
        ({"origin": Origin.PENDING}, lambda row: row.origin == "PENDING"),
        ({"origin": Origin.RESOLVED}, lambda row: row.origin == "RESOLVED"),
        ({"since": start}, lambda row: row.at >= start.timestamp()),
        ({"until": end}, lambda row: row.at < end.timestamp()),
        ({"error": "100%"}, lambda row: "100%" in (row.error_message or "")),
        ({"error": "rate_l"}, lambda row: row.error_code == "RATE_LIMITED"),
        ({"roots_only": True}, lambda row: row.origin == "ROOT"),
        ({"unknown_origin_only": True}, lambda row: row.root_job_id is None),
        ({"q": "kind OF"}, lambda row: row.name == "Kind of Blue"),
    ]
    drawn = dice.sample(choices, dice.choice([0, 1, 1, 2, 2, 3]))
    said = {name: value for words, _ in drawn for name, value in words.items()}
    holds = [test for words, test in drawn if all(said[name] == value for name, value in words.items())]
    return LogFilter(**said), lambda row: all(test(row) for test in holds)


@pytest.mark.parametrize("searched", [20_000, 3])
def test_logs_are_the_rows_for_which_all_filters_hold(
    database_url: str, monkeypatch: pytest.MonkeyPatch, searched: int
) -> None:
    monkeypatch.setattr(logs, "SEARCHED", searched)

    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for _ in range(6):
            wanted, holds = drawn_filter(dice)
            newest_first = dice.random() < 0.5
            read = partial(read_logs, Reader(pool), wanted, newest_first=newest_first)
            expected = rows_of(oracle.where(holds))
            found = [row.id for row in await all_items(read, dice.randint(2, 5))]
            assert found == (expected[::-1] if newest_first else expected), wanted

    ask_many(database_url, ask)


def test_names_and_summaries_tell_what_events_about_an_entity_said(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, _: Random) -> None:
        names = await read_names(Reader(pool), ENTITIES)
        told: dict[UUID, set[str]] = {}
        for entity in ENTITIES:
            about = oracle.about(entity.type, entity.id)
            summary = await read_entity_summary(Reader(pool), entity, now=NOON + timedelta(milliseconds=5))
            named = [row.name for row in about if row.name]
            told.setdefault(entity.id, set()).update(named[-1:])
            assert summary.name == (named[-1] if named else None)
            assert set(summary.names) == set(named)
            assert summary.rows == len(about)

            def of(category: str) -> list[Row]:
                return [row for row in about if row.category == category]  # noqa: B023

            assert getattr(summary.first_created, "row", None) == first(of("CREATED"))
            assert getattr(summary.first_linked, "row", None) == first(of("LINKED"))
            assert getattr(summary.last_enriched, "row", None) == first(of("ENRICHED")[::-1])
            failures = [row for row in about if row.failed]
            assert getattr(summary.last_failure, "row", None) == first(failures[::-1])
            retried = [row.retry_count for row in about if row.retry_count is not None]
            assert summary.retry_count == (retried[-1] if retried else 0)
            recent = NOON.timestamp() + 0.005 - 24 * 3600
            assert summary.failed_recently == any(row.at >= recent for row in failures)
            assert summary.no_data_recently == any(
                row.status == "NO_DATA_AVAILABLE" and row.at >= recent for row in about
            )
        assert all(name in told[entity] for entity, name in names.items())
        assert {entity for entity, found in told.items() if found} == set(names)

    ask_many(database_url, ask)


def first(rows: list[Row]) -> UUID | None:
    return rows[0].id if rows else None


def test_what_is_unknown_and_what_is_waited_for_is_counted(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        unknown = await read_unknown_origins(Reader(pool))
        rootless = oracle.where(lambda row: row.root_job_id is None)
        reasons = [row.origin or "NOT_LOOKED_AT" for row in rootless]
        assert unknown.by_reason == {reason: reasons.count(reason) for reason in reasons}
        assert unknown.rows == len(rootless)

        found = await all_items(partial(read_waiting_jobs, Reader(pool)), dice.randint(1, 3))
        assert {waiting.job: waiting.rows for waiting in found} == {
            job: len(rows) for job, rows in oracle.waiting().items()
        }
        assert len(found) == len(oracle.waiting())

    ask_many(database_url, ask, odd=False)


def test_counts_over_time_are_those_of_the_rows(database_url: str) -> None:
    async def ask(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        since, until = NOON + timedelta(milliseconds=1), NOON + timedelta(milliseconds=5)
        counts = await read_counts(Reader(pool), since=since, until=until, bucket=dice.choice(list(Bucket)))
        found: Counter[str] = Counter()
        for bucket in counts.buckets:
            found.update(bucket.by_category)
        within = oracle.where(lambda row: since.timestamp() <= row.at < until.timestamp())
        assert found == Counter(row.category for row in within)

    ask_many(database_url, ask)


async def test_counts_over_too_many_buckets_are_refused(pool: asyncpg.Pool) -> None:
    with pytest.raises(TooManyBucketsError, match="larger buckets"):
        await read_counts(Reader(pool), since=NOON, until=NOON + timedelta(days=3650), bucket=Bucket.HOUR)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "AAAA", "ÄÖ", "aW5maW5pdHk", "MjAyNi0wMi0zMVQwMDowMDowMC94LzA"]
)
def test_a_cursor_that_no_answer_told_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError, match="leave it out"):
        Cursor.parse(text)


@pytest.mark.parametrize("at", ["2026-02-10T12:00:00.001", "infinity", "-infinity", "0044-03-15 10:00:00 BC"])
def test_a_cursor_is_told_as_a_text_and_read_again(at: str) -> None:
    cursor = Cursor(at, UUID(int=7), says_root=True)
    assert Cursor.parse(str(cursor)) == cursor
