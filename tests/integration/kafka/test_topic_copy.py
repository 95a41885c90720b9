"""A topic copied message by message: what is kept, how a copy resumes, what it refuses."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from harness.topics import end_offsets, producing, read_all
from llamalog_service.domain.errors import PositionPastEndError
from llamalog_service.kafka.clients import MessageToSend, open_admin
from llamalog_service.kafka.reader import Record, topic_overrides
from llamalog_service.kafka.topic_copy import (
    REWRITE_PREFIX,
    CopyBusyError,
    CopyDiffersError,
    CopyTargetError,
    TopicCopy,
    time_of,
)
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

LONG_AGO = 1_600_000_000_000


@pytest.fixture
async def source(settings: Settings) -> str:
    """A topic of two partitions with a configuration of its own."""
    name = f"{settings.topic_prefix}entity-events-source"
    await create(settings, name, 2)
    return name


async def create(settings: Settings, name: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        config = {"retention.ms": "-1", "max.message.bytes": "2000000"}
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    finally:
        await admin.close()


def censored(record: Record) -> MessageToSend:
    value = record.value.replace(b"ada", b"xxx") if record.value is not None else None
    return MessageToSend(record.key, value, list(record.headers))


def a_copy(
    settings: Settings, source: str, change: Callable[[Record], MessageToSend] = censored
) -> TopicCopy:
    return TopicCopy(settings, source, f"{source}-2", change)


def ignore(_: object) -> None:
    pass


async def all_of(settings: Settings, topic: str) -> list[ConsumerRecord]:
    """Every message, partition after partition."""
    return sorted(await read_all(settings.kafka, topic), key=lambda one: (one.partition, one.offset))


def seen(record: ConsumerRecord) -> tuple[Any, ...]:
    return record.partition, time_of(record), record.key, record.value, list(record.headers)


async def test_a_copy_holds_the_committed_messages_as_they_are_but_for_the_change(
    settings: Settings, source: str
) -> None:
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(
            source, b"by ada", b"k", partition=0, timestamp_ms=LONG_AGO, headers=[("h", b"1"), ("none", None)]
        )
        await producer.send_and_wait(source, None, b"tombstone", partition=0, timestamp_ms=LONG_AGO + 1)
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=LONG_AGO + 2)
        await (await producer.send_batch(batch, source, partition=0))
        await producer.send_and_wait(source, b"\xff\x00", None, partition=1, timestamp_ms=LONG_AGO + 3)
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=f"test-{uuid4()}"
    ) as other:
        await other.begin_transaction()
        await other.send_and_wait(source, b"aborted", partition=0)
        await other.abort_transaction()
        await other.begin_transaction()
        await other.send_and_wait(source, b"committed", b"k", partition=0, timestamp_ms=LONG_AGO + 4)
        await other.commit_transaction()
    copy = a_copy(settings, source)
    await copy.create()
    assert await copy.run(ignore) == 5
    assert await copy.run(ignore) == 0
    assert await copy.is_complete()

    assert [seen(record) for record in await all_of(settings, f"{source}-2")] == [
        (*seen(record)[:3], b"by xxx" if record.value == b"by ada" else record.value, list(record.headers))
        for record in await all_of(settings, source)
    ]
    async with open_admin(settings) as admin:
        assert await topic_overrides(admin, f"{source}-2") == await topic_overrides(admin, source)
    ends = await end_offsets(settings.kafka, source)
    verified = await copy.verify({0: {0, 1, 4, ends[0]}, 1: {0, 1}}, ignore)
    assert (verified.records, verified.changed) == (5, 1)
    after = await end_offsets(settings.kafka, f"{source}-2")
    committed = next(
        record.offset
        for record in await read_all(settings.kafka, f"{source}-2")
        if record.value == b"committed"
    )
    assert verified.offsets == {
        (0, 0): 0,
        (0, 1): 1,
        (0, 4): committed,
        (0, ends[0]): after[0],
        (1, 0): 0,
        (1, 1): after[1],
    }


async def test_a_copy_that_ended_in_between_continues_without_repeating_a_message(
    settings: Settings, source: str
) -> None:
    values = [f"{number}".encode().ljust(20_000, b".") for number in range(400)]
    async with producing(settings.kafka) as producer:
        for number, value in enumerate(values):
            await producer.send(source, value, partition=number % 2)
        await producer.flush()
    changed = 0

    def ends_early(record: Record) -> MessageToSend:
        nonlocal changed
        changed += 1
        if changed > 300:
            raise KeyboardInterrupt
        return censored(record)

    broken = a_copy(settings, source, ends_early)
    await broken.create()
    with pytest.raises(KeyboardInterrupt):
        await broken.run(ignore)
    kept = len(await read_all(settings.kafka, f"{source}-2"))
    assert 0 < kept < 300

    copy = a_copy(settings, source)
    assert await copy.run(ignore) == len(values) - kept
    assert (await copy.verify({}, ignore)).records == len(values)
    copied = await read_all(settings.kafka, f"{source}-2")
    for partition in (0, 1):
        assert [one.value for one in copied if one.partition == partition] == values[partition::2]


async def test_what_a_killed_copy_had_not_committed_is_gone(settings: Settings, source: str) -> None:
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(source, b"one", partition=0)
    copy = a_copy(settings, source)
    await copy.create()
    killed = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=f"{REWRITE_PREFIX}{source}-2"
    )
    await killed.start()
    try:
        await killed.begin_transaction()
        await killed.send_and_wait(f"{source}-2", b"one", partition=0)
        assert await copy.run(ignore) == 1
    finally:
        await killed.stop()
    assert (await copy.verify({}, ignore)).records == 1
    assert [one.value for one in await read_all(settings.kafka, f"{source}-2")] == [b"one"]


async def test_two_processes_do_not_write_the_same_copy(settings: Settings, source: str) -> None:
    async with producing(settings.kafka) as producer:
        for number in range(400):
            await producer.send(source, b"%d".ljust(20_000, b".") % number, partition=0)
        await producer.flush()
    copy = a_copy(settings, source)
    await copy.create()
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    class Slow(TopicCopy):
        async def _write(self, producer: AIOKafkaProducer, portion: Any) -> None:
            begun.set()
            await may_go_on.wait()
            await super()._write(producer, portion)

    slow = asyncio.create_task(Slow(settings, source, f"{source}-2", censored).run(ignore))
    await begun.wait()
    assert await copy.run(ignore) == 400
    may_go_on.set()
    with pytest.raises(CopyBusyError):
        await slow
    assert (await copy.verify({}, ignore)).records == 400


async def test_a_target_that_another_program_wrote_to_is_refused(settings: Settings, source: str) -> None:
    copy = a_copy(settings, source)
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(source, b"one", partition=0)
        await copy.create()
        await copy.run(ignore)
        await producer.send_and_wait(f"{source}-2", b"another", partition=0)
        with pytest.raises(CopyDiffersError, match="one more message"):
            await copy.verify({}, ignore)
        await producer.send_and_wait(f"{source}-2", b"another", partition=1)
        with pytest.raises(CopyTargetError, match="how far they go is not known"):
            await copy.run(ignore)


async def test_a_copy_by_another_rule_is_not_taken_for_the_copy(settings: Settings, source: str) -> None:
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(source, b"by ada", partition=0)
    before = a_copy(settings, source, lambda one: MessageToSend(one.key, one.value, list(one.headers)))
    await before.create()
    await before.run(ignore)
    with pytest.raises(CopyDiffersError, match="is another"):
        await a_copy(settings, source).verify({}, ignore)


async def test_a_position_past_the_end_is_not_translated(settings: Settings, source: str) -> None:
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(source, b"one", partition=0)
    copy = a_copy(settings, source)
    await copy.create()
    await copy.run(ignore)
    with pytest.raises(PositionPastEndError, match="up to offset 2, the partition ends at 1"):
        await copy.verify({0: {2}}, ignore)


async def test_a_target_with_other_partitions_is_refused(settings: Settings, source: str) -> None:
    await create(settings, f"{source}-2", 3)
    with pytest.raises(CopyTargetError, match="it has 3 partitions"):
        await a_copy(settings, source).create()
