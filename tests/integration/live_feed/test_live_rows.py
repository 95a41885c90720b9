"""What the topic brings is filtered as the table would be, and shown once."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from harness.writers import KeptMessages, Recomputer, Writer
from histories import NOON, event
from llamalog_schemas.events import Category, EntityEnriched, EntityEvent, EntityLinked, EntityType, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.live_feed.following import SeenRevisions, matches
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.rows import LogRow, provenance_row, read_row

DICE = random.Random(5)
WORDS = ("blue", "Blue_Train", "100%", "a\\b", "É", None)


TRACE = "0af7651916cd43dd8448eb211c80319c"


def some_event(number: int) -> EntityEvent:
    job, parent = DICE.choice((None, "a", "b", "c")), DICE.choice((None, "a", "b", "lost"))
    plain = event(
        number, job, parent if parent != job else None, kind=DICE.choice((EntityLinked, EntityEnriched))
    )
    return replace(
        plain,
        source="/others" if number % 2 else "/tests",
        traceparent=None if number % 3 else f"00-{TRACE}-b7ad6b7169203331-01",
        data=replace(
            plain.data,
            entity_type=DICE.choice(list(EntityType)),
            entity_id=UUID(int=DICE.randrange(4)),
            operation=DICE.choice(("enrichment:album", "enrichment:track", "cache_100%", "cacheX100%")),
            status=DICE.choice(list(Status)[:3]),
            sources=tuple(DICE.sample(("MUSICBRAINZ", "SPOTIFY", "DISCOGS"), DICE.randrange(3))),
            error_message=DICE.choice(WORDS),
            error_code=DICE.choice(("RATE_LIMITED", None)),
            reason=DICE.choice(WORDS),
            user_id=DICE.choice(("ada", None)),
            metadata=DICE.choice((None, {"title": DICE.choice(WORDS)}, {"name": "Blue Train"}, {"title": 7})),
        ),
    )


def some_filter() -> LogFilter:
    every: dict[str, Any] = {
        "category": DICE.choice(list(Category)),
        "status": DICE.choice(list(Status)[:4]),
        "entity_type": DICE.choice(list(EntityType)),
        "entity_id": UUID(int=DICE.randrange(5)),
        "operation": DICE.choice(("enrichment:*", "enrichment:album", "cache_*", "cache_100%", "*", "")),
        "source": DICE.choice(("SPOTIFY", "unknown")),
        "user": "ada",
        "job": DICE.choice(("a", "b", "unknown")),
        "root": DICE.choice(("a", "b", "lost")),
        "origin": DICE.choice(list(Origin)),
        "since": NOON + timedelta(milliseconds=DICE.randrange(100)),
        "until": NOON + timedelta(milliseconds=DICE.randrange(100)),
        "error": DICE.choice(("BLUE", "blue_", "%", "\\", "limited")),
        "roots_only": True,
        "unknown_origin_only": True,
        "q": DICE.choice(("blue", "RATE", "7", "é", "_", "%", "enrich")),
    }
    return LogFilter(**{name: every[name] for name in DICE.sample(list(every), DICE.choice((1, 1, 2, 3)))})


async def test_a_filter_takes_of_what_is_published_what_it_finds_in_the_table(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(*map(some_event, range(1, 100)))
    await Recomputer(pool, kept).settle()
    published = [provenance_row(record) for record in kept.provenance.values()]
    assert len(published) == 99
    found_any = 0
    for _ in range(300):
        wanted = some_filter()
        page = await read_logs(Reader(pool), wanted, limit=500)
        assert {row.id for row in published if matches(wanted, row)} == {row.id for row in page.items}, wanted
        found_any += bool(page.items)
    assert found_any > 100


async def test_rows_of_a_producer_and_of_a_trace_are_the_same_live_and_in_the_table(
    pool: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(*map(some_event, range(1, 20)))
    published = [provenance_row(record) for record in kept.provenance.values()]
    for wanted, found in (
        (LogFilter(producer="/others"), 10),
        (LogFilter(producer="/unknown"), 0),
        (LogFilter(trace=TRACE), 6),
        (LogFilter(trace=TRACE, producer="/tests"), 3),
    ):
        page = await read_logs(Reader(pool), wanted)
        assert {row.id for row in published if matches(wanted, row)} == {row.id for row in page.items}
        assert len(page.items) == found, wanted


async def test_a_row_that_is_published_is_the_row_of_the_table(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(*map(some_event, range(1, 40)))
    await Recomputer(pool, kept).settle()
    for record in kept.provenance.values():
        in_table = await read_row(Reader(pool), record.id)
        assert msgspec.to_builtins(provenance_row(record)) == msgspec.to_builtins(in_table)


@pytest.fixture
async def row(pool: asyncpg.Pool) -> LogRow:
    await Writer(pool, KeptMessages()).write(event(1, "root"))
    found = await read_row(Reader(pool), UUID(int=1))
    assert found is not None
    return found


def test_a_revision_is_shown_once_and_none_after_a_newer_one(row: LogRow) -> None:
    second, third = replace(row, revision=2), replace(row, revision=3)
    seen = SeenRevisions([row])
    assert [seen.add(one) for one in (row, third, second, third)] == [False, True, False, False]
