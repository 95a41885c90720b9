"""Topics as a test sees them: write messages, read all there is, know how far a group has come."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from harness.waiting import eventually
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.events import Event, is_override, lineage_key
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

Coordinates = tuple[str, int, int]
"""Topic, partition, offset."""


@asynccontextmanager
async def producing(kafka: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer that sends what it is given, however large."""
    usual = {"acks": "all", "max_request_size": 64 * 1024 * 1024}
    producer = AIOKafkaProducer(bootstrap_servers=kafka, **usual | options)
    async with producer:
        yield producer


async def grow_topic(admin: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
    """Give a topic so many partitions, and wait until brokers describe them.

    A producer that begins before takes the old ones for all there are, for minutes.
    """
    await admin.create_partitions({topic: NewPartitions(partitions)})

    async def are_described() -> bool:
        (found,) = await admin.describe_topics([topic])
        return len(found["partitions"]) == partitions

    await eventually(are_described)


async def publish_events(
    producer: AIOKafkaProducer, topic: str, events: Iterable[Event], partition: int | None = None
) -> None:
    """Publish events, one after the other, in structured mode."""
    for event in events:
        await producer.send_and_wait(
            topic, encode(event), lineage_key(event), partition=partition, headers=STRUCTURED_HEADERS
        )


async def publish(settings: Settings, events: Iterable[Event]) -> None:
    """Publish many events at once, each in its topic and in the partition of its lineage."""
    names = topics(settings.topic_prefix)
    async with producing(settings.kafka) as producer:
        await asyncio.gather(
            *[
                await producer.send(
                    names.overrides.name if is_override(event) else names.entity_events.name,
                    encode(event),
                    lineage_key(event),
                )
                for event in events
            ]
        )


async def delete_topic(kafka: str, topic: str) -> None:
    """Delete a topic; returns when the broker accepts no message for it any more.

    A broker carries out changes of topics in their order, some time after it has confirmed them. So the topic
    is gone when another one, created later, accepts a message.
    """
    later = f"{topic}.deleted"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        await admin.create_topics([NewTopic(later, num_partitions=1, replication_factor=1)])
        async with producing(kafka) as producer:
            await producer.send_and_wait(later, b"")
        await admin.delete_topics([later])
    finally:
        await admin.close()


async def read_all(kafka: str, topic: str) -> list[ConsumerRecord]:
    """Every message that the topic holds now, each partition's in order; none of an aborted transaction."""
    async with _reading(kafka, isolation_level="read_committed") as reader:
        ends = await _ends(reader, topic)
        reader.assign(list(ends))
        records: list[ConsumerRecord] = []
        while any([await reader.position(at) < end for at, end in ends.items()]):
            fetched = await reader.getmany(timeout_ms=500)
            records += [record for partition in fetched.values() for record in partition]
        return records


async def end_offsets(kafka: str, topic: str) -> dict[int, int]:
    """The offset after the last message of each partition."""
    async with _reading(kafka) as reader:
        return {at.partition: end for at, end in (await _ends(reader, topic)).items()}


async def stable_offsets(kafka: str, topic: str) -> dict[int, int]:
    """The offset of the first message of each partition that an open transaction hides; else the end."""
    async with _reading(kafka, isolation_level="read_committed") as reader:
        return {at.partition: end for at, end in (await _ends(reader, topic)).items()}


async def until_topic_has_messages(kafka: str, topic: str, within: float) -> None:
    """Wait for the first message, looking so often that few others can follow before this returns.

    Raises:
        TimeoutError: none came.
    """
    async with _reading(kafka) as reader, asyncio.timeout(within):
        partitions = list(await _ends(reader, topic))
        while not any((await reader.end_offsets(partitions)).values()):  # noqa: ASYNC110 - no Event signals it
            await asyncio.sleep(0)


async def committed_offsets(kafka: str, group: str, topic: str) -> dict[int, int]:
    """The offset that a group has committed of each partition; 0 where there is none."""
    async with _reading(kafka) as reader, _reading(kafka, group_id=group) as member:
        partitions = list(await _ends(reader, topic))
        member.assign(partitions)
        member.pause(*partitions)
        return {at.partition: await member.committed(at) or 0 for at in partitions}


async def lag(kafka: str, group: str, topic: str) -> int:
    """How many messages of the topic lie behind the group's committed offsets."""
    async with open_lag(kafka, group, topic) as read:
        return await read()


@asynccontextmanager
async def open_lag(kafka: str, group: str, topic: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """The same, read as often as a wait needs it: clients made anew each time cost more than the wait."""
    async with _reading(kafka) as reader, _reading(kafka, group_id=group) as member:
        partitions = list(await _ends(reader, topic))
        member.assign(partitions)
        member.pause(*partitions)

        async def read() -> int:
            ends = await reader.end_offsets(partitions)
            starts = await reader.beginning_offsets(partitions)
            reached = {at: max(await member.committed(at) or 0, starts[at]) for at in ends}
            return sum(end - reached[at] for at, end in ends.items())

        yield read


def by_coordinates(dead_letters: Iterable[ConsumerRecord]) -> dict[Coordinates, list[ConsumerRecord]]:
    """Dead letters by where the bad message was read; a redelivery may repeat one."""
    found: dict[Coordinates, list[ConsumerRecord]] = defaultdict(list)
    for dead_letter in dead_letters:
        topic, partition, offset = (header(dead_letter, name) for name in ("topic", "partition", "offset"))
        found[topic, int(partition), int(offset)].append(dead_letter)
    return found


def header(dead_letter: ConsumerRecord, name: str) -> str:
    """The value of a dead letter's header ``llamalog-<name>``."""
    value: bytes = dict(dead_letter.headers)[f"llamalog-{name}"]
    return value.decode()


@asynccontextmanager
async def _reading(kafka: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest", **options
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _ends(reader: AIOKafkaConsumer, topic: str) -> dict[TopicPartition, int]:
    reader.assign([TopicPartition(topic, 0)])
    await reader.end_offsets(reader.assignment())  # makes the client learn of the topic
    partitions = [TopicPartition(topic, partition) for partition in reader.partitions_for_topic(topic)]
    ends: dict[TopicPartition, int] = await reader.end_offsets(partitions)
    return ends
