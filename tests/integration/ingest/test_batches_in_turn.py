"""A batch is classified and resolved with what the batch before it wrote, whenever that is verified."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.writers import GROUP, NAMES, KeptMessages, Message
from histories import event
from llamalog_schemas.codec import encode
from llamalog_schemas.events import Event
from llamalog_service.ingest.batch import CONFLICT
from llamalog_service.ingest.batch_stats import BatchOutcome
from llamalog_service.ingest.ingest import Ingest, JobCache, RecordedBatch
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import CommittedBatch, LogStore


class Counting(LogStore):
    """Notes how often a batch is written."""

    writes = 0

    async def write(self, *batch: Any, **marks: Any) -> CommittedBatch:
        self.writes += 1
        return await super().write(*batch, **marks)


class Consumer:
    """An ingest without its Kafka."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.store = Counting(pool)
        self.kept = KeptMessages()
        publisher = EventPublisher(self.kept, NAMES, source="/tests")
        self._ingest = Ingest(self.store, publisher, JobCache(100), group=GROUP)
        self._offset = 0

    async def ingest(self, *batches: Sequence[Event]) -> list[BatchOutcome]:
        """Record and publish batches, one after the other."""
        return [await self.publish(await self.record(batch)) for batch in batches]

    async def record(self, events: Sequence[Event]) -> RecordedBatch:
        messages = [Message(encode(one), offset) for offset, one in enumerate(events, self._offset)]
        self._offset += len(messages)
        return await self._ingest.record(await self._ingest.prepare(messages))

    async def publish(self, batch: RecordedBatch) -> BatchOutcome:
        return await self._ingest.publish(batch)


@pytest.fixture
def consumer(pool: asyncpg.Pool) -> Consumer:
    return Consumer(pool)


async def test_the_parent_of_its_rows_is_found_in_the_batch_before(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    top, middle, bottom = event(1, "top"), event(2, "middle", "top"), event(3, "bottom", "middle")
    await consumer.ingest([top], [middle], [bottom])
    assert differences(await stored_rows(pool), [top, middle, bottom]) == []
    assert consumer.kept.take_commands() == [], "no row had to be corrected"


async def test_an_earlier_claim_of_the_batch_before_counts(consumer: Consumer, pool: asyncpg.Pool) -> None:
    earlier, later = event(1, "job", "first", at=1.0), event(2, "job", "second", at=2.0)
    below = event(3, "below", "job")
    await consumer.ingest([earlier], [later, below])
    assert differences(await stored_rows(pool), [earlier, later, below]) == []
    assert consumer.kept.take_commands() == []


async def test_its_duplicates_of_the_batch_before_are_recognised_before_it_is_written(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    first, second = event(1, "job"), event(2, "job")
    conflicting = event(1, "another")
    outcomes = await consumer.ingest([first], [first, conflicting, second])
    assert (outcomes[1].duplicates, outcomes[1].dead_letters) == (1, 1)
    assert dict(consumer.kept.dead_letters[0].headers)["llamalog-reason"] == CONFLICT.encode()
    assert differences(await stored_rows(pool), [first, second]) == []
    assert consumer.store.writes == 2, "none was refused and tried again"


async def test_the_next_batch_may_be_committed_before_one_is_verified(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    top, below = event(1, "top"), event(2, "below", "top")
    recorded = [await consumer.record([one]) for one in (top, below)]
    for batch in recorded:
        await consumer.publish(batch)
    assert differences(await stored_rows(pool), [top, below]) == []
    assert consumer.kept.take_commands() == [], "its rows were resolved with the ones before"


async def test_a_row_of_another_process_between_two_batches_is_found_by_the_verification(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    waiting, top, below = event(1, "waiting", "top"), event(2, "top"), event(3, "below", "top")
    other = Consumer(pool)
    await other.ingest([waiting])
    recorded = [await consumer.record([one]) for one in (top, below)]
    for batch in recorded:
        await consumer.publish(batch)
    assert consumer.kept.take_commands() == [("top",)]
