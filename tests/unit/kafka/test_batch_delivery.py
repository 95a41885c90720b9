"""Delivery step by step, against a consumer that does nothing but note: what must hold at every await."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from harness.waiting import TIMEOUT, eventually
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.pipeline import Records, Steps

AT_ONCE = 1e-9
"""Seconds: a step that fails is tried once."""

FIRST, SECOND = TopicPartition("events", 0), TopicPartition("events", 1)


class NotingConsumer:
    """What the delivery uses of aiokafka's consumer; `SECOND` always has more than was fetched."""

    def __init__(self) -> None:
        self.positions = {FIRST: 0, SECOND: 0}
        self.committed: dict[TopicPartition, int] = {}
        self.held: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def subscription(self) -> set[str]:
        return {FIRST.topic, SECOND.topic}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {at.partition for at in (FIRST, SECOND) if at.topic == topic}

    def paused(self) -> set[TopicPartition]:
        return set(self.held)

    def pause(self, *partitions: TopicPartition) -> None:
        self.held |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.held -= set(partitions)

    def highwater(self, partition: TopicPartition) -> int:
        return 1_000_000 if partition == SECOND else 0

    def last_stable_offset(self, partition: TopicPartition) -> None:
        return None

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed.update(offsets)

    def fetch(self, offsets: Sequence[int]) -> Records:
        self.positions[FIRST] = offsets[-1] + 1
        return [record(offset) for offset in offsets]


def record(offset: int, partition: int = 0) -> ConsumerRecord:
    return ConsumerRecord("events", partition, offset, offset, 0, None, b"", None, 0, 0, ())


class Work:
    """The steps, each of which can be made to wait or to fail."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.recorded: list[int] = []
        self.published: list[int] = []
        self.errors: list[BaseException] = []
        self.before_record: Callable[[Records], Awaitable[None]] = _at_once
        self.before_publish: Callable[[list[int]], Awaitable[None]] = _at_once

    async def prepare(self, records: Records) -> Records:
        self.prepared += [record.offset for record in records]
        return records

    async def record(self, records: Records) -> list[int]:
        await self.before_record(records)
        offsets = [record.offset for record in records]
        self.recorded += offsets
        return offsets

    async def publish(self, offsets: list[int]) -> None:
        await self.before_publish(offsets)
        self.published += offsets


async def _at_once(_: object) -> None:
    return


def delivering(work: Work, consumer: NotingConsumer, *, max_records: int = 10) -> BatchDelivery:
    delivery = BatchDelivery(
        Steps(work.prepare, work.record, work.publish),
        max_records=max_records,
        fail=work.errors.append,
        step_timeout=AT_ONCE,
        revoke_timeout=0.05,
    )
    delivery.attach(lambda: consumer)
    return delivery


@pytest.fixture
def consumer() -> NotingConsumer:
    return NotingConsumer()


async def test_records_that_came_while_a_flush_failed_are_not_done_before_those_requeued(
    consumer: NotingConsumer,
) -> None:
    work, is_recording, let_fail = Work(), asyncio.Event(), asyncio.Event()

    async def fail_first(_: Records) -> None:
        if not let_fail.is_set():
            is_recording.set()
            await let_fail.wait()
            raise UnavailableError("PostgreSQL is away")

    work.before_record = fail_first
    delivery = delivering(work, consumer)
    await delivery.deliver(consumer.fetch([0, 1]))
    await is_recording.wait()
    later = asyncio.create_task(delivery.deliver(consumer.fetch([2, 3])))
    await asyncio.sleep(0)
    let_fail.set()
    await later
    await asyncio.sleep(0.4)  # longer than a flush waits
    await delivery.close()
    assert consumer.positions[FIRST] == 0
    assert (work.recorded, consumer.committed) == ([], {})


async def test_a_batch_that_could_not_be_published_is_requeued_although_no_other_comes(
    consumer: NotingConsumer,
) -> None:
    work = Work()

    async def fail(_: list[int]) -> None:
        raise UnavailableError("Kafka is away")

    work.before_publish = fail
    delivery = delivering(work, consumer)
    await delivery.deliver(consumer.fetch([0, 1]))

    async def is_requeued() -> bool:
        return consumer.positions[FIRST] == 0

    await eventually(is_requeued)


async def test_an_error_after_which_nothing_may_go_on_is_raised_although_no_other_batch_comes(
    consumer: NotingConsumer,
) -> None:
    work = Work()

    async def fail(_: list[int]) -> None:
        raise ValueError("a defect")

    work.before_publish = fail
    delivery = delivering(work, consumer)
    await delivery.deliver(consumer.fetch([0, 1]))

    async def is_published() -> bool:
        return bool(work.errors)

    await eventually(is_published)
    assert [str(error) for error in work.errors] == ["a defect"]


async def test_a_partition_held_back_is_read_on_after_its_records_were_flushed(
    consumer: NotingConsumer,
) -> None:
    work = Work()
    delivery = delivering(work, consumer, max_records=2)
    await delivery.deliver(consumer.fetch([0, 1, 2, 3]))
    assert consumer.held == {FIRST}

    async def is_read_on() -> bool:
        return not consumer.held and len(work.recorded) == 4

    await eventually(is_read_on)
    assert work.recorded == [0, 1, 2, 3]


async def test_publishing_given_up_in_a_rebalance_ends_before_the_partitions_go(
    consumer: NotingConsumer,
) -> None:
    work, is_publishing, may_publish = Work(), asyncio.Event(), asyncio.Event()

    async def wait(_: list[int]) -> None:
        is_publishing.set()
        await may_publish.wait()

    work.before_publish = wait
    delivery = delivering(work, consumer)
    await delivery.deliver(consumer.fetch([0, 1]))
    await is_publishing.wait()
    await asyncio.wait_for(delivery.on_partitions_revoked({FIRST, SECOND}), TIMEOUT)
    await delivery.on_partitions_assigned({FIRST, SECOND})
    may_publish.set()
    await asyncio.sleep(0.1)
    assert (work.published, consumer.committed) == ([], {})


async def test_while_a_batch_is_recorded_the_rest_of_a_backlog_is_gathered_to_a_full_one(
    consumer: NotingConsumer,
) -> None:
    work, go_on, sizes = Work(), asyncio.Event(), list[int]()

    async def wait(records: Records) -> None:
        sizes.append(len(records))
        await go_on.wait()

    work.before_record = wait
    delivery = delivering(work, consumer, max_records=10)
    for first in (0, 4, 8):
        some = range(first, first + 4)
        delivering_some = asyncio.create_task(
            delivery.deliver([*consumer.fetch(some), *(record(offset, 1) for offset in some)])
        )
        await asyncio.wait([delivering_some], timeout=0.05)
    go_on.set()

    async def is_published() -> bool:
        return len(work.published) == 24

    await eventually(is_published)
    assert sizes[:2] == [8, 10], "what is ready at once, then as much as a batch may hold"
    await delivery.close()


async def test_what_waits_for_a_partition_is_in_no_batch_while_the_one_before_is_recorded_slowly(
    consumer: NotingConsumer,
) -> None:
    work, go_on, batches = Work(), asyncio.Event(), list[list[int]]()

    async def wait(records: Records) -> None:
        batches.append(sorted(one.offset for one in records))
        await go_on.wait()

    work.before_record = wait
    delivery = delivering(work, consumer, max_records=10)
    await delivery.deliver([*consumer.fetch(range(4)), *(record(offset, 1) for offset in range(4))])
    await delivery.deliver([*consumer.fetch(range(4, 12)), *(record(offset, 1) for offset in range(4, 8))])
    await asyncio.sleep(0.5)  # twice as long as records wait for a partition while nothing is recorded
    go_on.set()

    async def is_published() -> bool:
        return len(work.published) == 20

    await eventually(is_published)
    assert batches[1:] == [[4, 4, 5, 5, 6, 6, 7, 7], [8, 9, 10, 11]]
    await delivery.close()


async def test_the_next_batch_is_prepared_while_one_is_recorded_and_recorded_after_it(
    consumer: NotingConsumer,
) -> None:
    work, go_on = Work(), asyncio.Event()

    async def wait(_: Records) -> None:
        await go_on.wait()

    work.before_record = wait
    delivery = delivering(work, consumer, max_records=2)
    await delivery.deliver(consumer.fetch([0, 1, 2, 3, 4, 5]))

    async def is_prepared() -> bool:
        return work.prepared == [0, 1, 2, 3]

    await eventually(is_prepared)
    assert work.recorded == []
    go_on.set()

    async def is_published() -> bool:
        return len(work.published) == 6

    await eventually(is_published)
    assert work.recorded == work.published == [0, 1, 2, 3, 4, 5]
    await delivery.close()


async def test_a_batch_that_is_prepared_is_not_recorded_after_the_one_before_it_failed(
    consumer: NotingConsumer,
) -> None:
    work, let_fail = Work(), asyncio.Event()

    async def fail_first(records: Records) -> None:
        if records[0].offset == 0:
            await let_fail.wait()
            raise UnavailableError("PostgreSQL is away")

    work.before_record = fail_first
    delivery = delivering(work, consumer, max_records=2)
    await delivery.deliver(consumer.fetch([0, 1, 2, 3]))

    async def is_prepared() -> bool:
        return work.prepared == [0, 1, 2, 3]

    await eventually(is_prepared)
    let_fail.set()

    async def is_requeued() -> bool:
        return consumer.positions[FIRST] == 0

    await eventually(is_requeued)
    await delivery.close()
    assert (work.recorded, consumer.committed) == ([], {})
