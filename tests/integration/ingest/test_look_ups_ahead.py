"""A batch that is looked up before the one before it is recorded is resolved as one looked up afterwards."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.writers import GROUP, NAMES, KeptMessages, Message
from histories import event
from llamalog_schemas.codec import encode
from llamalog_schemas.events import Event
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.domain.roots import JobFacts
from llamalog_service.domain.rows import Content, StoredRow
from llamalog_service.ingest.batch import CONFLICT, BatchOutcome
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import Committed, LogStore


class Counting(LogStore):
    """Notes what is looked up and how often a batch is written; `is_away` has look-ups fail."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.ids: list[list[UUID]] = []
        self.jobs: list[set[str]] = []
        self.writes = 0
        self.is_away = False

    async def known_rows(self, rows: Sequence[Content]) -> dict[UUID, StoredRow]:
        self.ids.append([row.id for row in rows])
        if self.is_away:
            raise UnavailableError("PostgreSQL is away")
        return await super().known_rows(rows)

    async def job_facts(self, jobs: Collection[str]) -> dict[str, JobFacts]:
        self.jobs.append(set(jobs))
        return await super().job_facts(jobs)

    async def write(self, *batch: Any, **marks: Any) -> Committed:
        self.writes += 1
        return await super().write(*batch, **marks)


class Consumer:
    """An ingest without its Kafka, whose batches are looked up one ahead."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.store = Counting(pool)
        self.kept = KeptMessages()
        publisher = EventPublisher(self.kept, NAMES, source="/tests")
        self._ingest = Ingest(self.store, publisher, JobCache(100), group=GROUP)
        self._offset = 0

    async def ingest(self, *batches: Sequence[Event]) -> list[BatchOutcome]:
        """Record and publish batches, each looked up before the one before it is recorded."""
        outcomes = []
        ahead = await self._look_up(batches[0])
        for following in [*batches[1:], None]:
            current, ahead = ahead, await self._look_up(following) if following else ahead
            outcomes.append(await self._ingest.publish(await self._ingest.record(current)))
        return outcomes

    async def _look_up(self, events: Sequence[Event]) -> Any:
        messages = [Message(encode(one), offset) for offset, one in enumerate(events, self._offset)]
        self._offset += len(messages)
        return await self._ingest.look_up(await self._ingest.prepare(messages))


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


async def test_what_the_batch_before_wrote_is_all_that_is_looked_up_again(consumer: Consumer) -> None:
    first, second, third = event(1, "job"), event(2, "job"), event(3, "other", "job")
    await consumer.ingest([first], [first, second, third])
    one, two, three = (UUID(str(one.id)) for one in (first, second, third))
    assert consumer.store.ids == [[one], [one, two, three], [one]]


async def test_a_look_up_that_fails_is_left_to_the_recording(consumer: Consumer, pool: asyncpg.Pool) -> None:
    consumer.store.is_away = True
    top, below = event(1, "top"), event(2, "below", "top")
    ahead = await consumer._look_up([top, below])
    with pytest.raises(UnavailableError):
        await consumer._ingest.record(ahead)
    consumer.store.is_away = False
    await consumer._ingest.record(ahead)
    assert differences(await stored_rows(pool), [top, below]) == []


async def test_what_was_looked_up_two_batches_ago_is_looked_up_anew(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    top, middle, bottom = event(1, "top"), event(2, "middle", "top"), event(3, "bottom", "middle")
    late = await consumer._look_up([bottom, top])
    await consumer.ingest([top], [middle])
    await consumer._ingest.publish(await consumer._ingest.record(late))
    assert differences(await stored_rows(pool), [top, middle, bottom]) == []
    assert consumer.kept.take_commands() == []


async def test_the_next_batch_may_be_committed_before_one_is_verified(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    top, below = event(1, "top"), event(2, "below", "top")
    first, second = await consumer._look_up([top]), await consumer._look_up([below])
    recorded = [await consumer._ingest.record(batch) for batch in (first, second)]
    for batch in recorded:
        await consumer._ingest.publish(batch)
    assert differences(await stored_rows(pool), [top, below]) == []
    assert consumer.kept.take_commands() == [], "its rows were resolved with the ones before"


async def test_a_row_of_another_process_between_two_batches_is_found_by_the_verification(
    consumer: Consumer, pool: asyncpg.Pool
) -> None:
    waiting, top, below = event(1, "waiting", "top"), event(2, "top"), event(3, "below", "top")
    other = Consumer(pool)
    first, second = await consumer._look_up([top]), await consumer._look_up([below])
    await other.ingest([waiting])
    recorded = [await consumer._ingest.record(batch) for batch in (first, second)]
    for batch in recorded:
        await consumer._ingest.publish(batch)
    assert consumer.kept.take_commands() == [("top",)]
