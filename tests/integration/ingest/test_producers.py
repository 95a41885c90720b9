"""A row bears the producer and the trace of its event; the producer is content, the trace is not."""

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import NOTHING_READ, differences, stored_rows
from harness.writers import GROUP, NAMES, KeptMessages, Message
from histories import event
from llamalog_schemas.codec import decode_provenance, encode, encode_event_binary
from llamalog_schemas.events import Event
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.domain.fold import fold
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import Content
from llamalog_service.ingest.batch import CONFLICT
from llamalog_service.ingest.batch_stats import BatchOutcome
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Consumer:
    """An ingest without its Kafka."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.kept = KeptMessages()
        publisher = EventPublisher(self.kept, NAMES, source="/tests")
        self._ingest = Ingest(LogStore(pool), publisher, JobCache(100), group=GROUP)
        self._offset = 0

    async def ingest(self, *events: Event, binary: bool = False) -> BatchOutcome:
        """Record and publish a batch."""
        messages = []
        for one in events:
            value, headers = encode_event_binary(one) if binary else (encode(one), [])
            messages.append(Message(value, self._offset, headers=headers))
            self._offset += 1
        return await self._ingest.publish(await self._ingest.record(await self._ingest.prepare(messages)))

    @property
    def sentences(self) -> list[str]:
        """Those of the dead letters of conflicts."""
        headers = [dict(message.headers) for message in self.kept.dead_letters]
        assert {added["llamalog-reason"] for added in headers} <= {CONFLICT.encode()}
        return [(added["llamalog-error"] or b"").decode() for added in headers]


@pytest.fixture
def consumer(pool: asyncpg.Pool) -> Consumer:
    return Consumer(pool)


@pytest.mark.parametrize("binary", [False, True])
async def test_a_row_and_its_record_bear_the_source_and_the_trace_of_the_event(
    consumer: Consumer, pool: asyncpg.Pool, binary: bool
) -> None:
    traced = replace(event(1, "job"), source="/catalogue/albums", traceparent=TRACEPARENT)
    await consumer.ingest(traced, event(2, "job"), binary=binary)
    contents = {row.int: stored.content for row, stored in (await stored_rows(pool)).items()}
    assert [(contents[n].producer, contents[n].traceparent) for n in (1, 2)] == [
        ("/catalogue/albums", TRACEPARENT),
        ("/tests", None),
    ]
    values = [message.value for message in consumer.kept.by_topic["tests.provenance"]]
    data = [decode_provenance(value).data for value in values if value is not None]
    assert {(one.id.int, one.producer, one.traceparent) for one in data} == {
        (1, "/catalogue/albums", TRACEPARENT),
        (2, "/tests", None),
    }


@pytest.mark.parametrize(
    "given",
    [
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        "ff" + TRACEPARENT[2:],
        7,
    ],
)
async def test_a_trace_that_is_none_is_dropped_and_its_event_recorded(
    consumer: Consumer, pool: asyncpg.Pool, given: Any
) -> None:
    outcome = await consumer.ingest(replace(event(1, "job"), traceparent=given))
    assert outcome.dead_letters == 0
    (row,) = (await stored_rows(pool)).values()
    assert row.content.traceparent is None


@pytest.mark.parametrize("at_once", [False, True])
async def test_an_id_of_another_producer_is_a_conflict_that_names_both(
    consumer: Consumer, pool: asyncpg.Pool, at_once: bool
) -> None:
    mine, theirs = event(1, "job"), replace(event(1, "job"), source="/others")
    outcomes = (
        [await consumer.ingest(mine, theirs)]
        if at_once
        else [await consumer.ingest(one) for one in (mine, theirs)]
    )
    assert (outcomes[-1].duplicates, outcomes[-1].dead_letters) == (0, 1)
    assert differences(await stored_rows(pool), [mine]) == []
    (sentence,) = consumer.sentences
    assert "/tests" in sentence
    assert "/others" in sentence


async def test_another_trace_makes_no_other_event(consumer: Consumer, pool: asyncpg.Pool) -> None:
    traced = replace(event(1, "job"), traceparent=TRACEPARENT)
    outcomes = [await consumer.ingest(one, one) for one in (traced, event(1, "job"))]
    assert [outcome.duplicates for outcome in outcomes] == [1, 2]
    assert differences(await stored_rows(pool), [traced]) == []


async def test_a_row_recorded_before_producers_were_equals_an_event_of_any(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    await consumer.ingest(event(1, "job"))
    await pool.execute("UPDATE llama_logs SET producer_id = NULL")
    outcome = await consumer.ingest(replace(event(1, "job"), source="/others"))
    assert (outcome.duplicates, outcome.dead_letters) == (1, 0)
    other = await consumer.ingest(replace(event(1, "other job"), source="/others"))
    assert (other.duplicates, other.dead_letters) == (0, 1)
    assert "another content" in consumer.sentences[0]


async def test_sources_of_any_length_and_script_and_very_many_of_them(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    """A thousand characters are up to four thousand bytes, which no btree takes."""
    sources = ["🦙" * 999 + character for character in "ab"] + [f"/many/{number}" for number in range(3_000)]
    events = [replace(event(number), source=source) for number, source in enumerate(sources, 1)]
    for part in (events[:5], events, events):
        await consumer.ingest(*part)
    assert differences(await stored_rows(pool), events) == []
    assert await pool.fetchval("SELECT count(*) FROM event_producers") == len(sources)


async def test_writers_that_meet_the_same_new_producers_at_once_agree(pool: asyncpg.Pool) -> None:
    events = [
        [
            replace(event(writer * 1_000 + number), source=f"/{number if writer % 2 else 99 - number}")
            for number in range(100)
        ]
        for writer in range(6)
    ]

    async def write(some: list[Any]) -> None:
        rows: list[Content] = []
        roots: list[Root] = []
        for row in fold(some).values():
            rows.append(row.content)
            roots.append(row.root)
        await LogStore(pool).write(rows, roots, [], NOTHING_READ)

    await asyncio.gather(*map(write, events))
    assert await pool.fetchval("SELECT count(*) FROM event_producers") == 100
    assert differences(await stored_rows(pool), [one for some in events for one in some]) == []


async def test_no_number_is_remembered_that_an_older_copy_of_the_database_lacks(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    first = event(1, "job")
    await consumer.ingest(first)
    await pool.execute("DELETE FROM llama_logs; DELETE FROM event_producers")
    await pool.execute("INSERT INTO event_producers (source) VALUES ('/others')")
    second = event(2, "job")
    await consumer.ingest(second)
    assert differences(await stored_rows(pool), [second]) == []


async def test_a_table_of_producers_that_keeps_nothing_is_named(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
        "CREATE TRIGGER dropping BEFORE INSERT ON event_producers FOR EACH ROW EXECUTE FUNCTION drop_it()"
    )
    (row,) = fold([event(1, "job")]).values()
    with pytest.raises(UnavailableError, match="event_producers does not keep"):
        await LogStore(pool).write([row.content], [row.root], [], NOTHING_READ)
