"""Topics as a test sees them: write messages, read all there is, know how far a group has come."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.events import Event
from llamalog_schemas.keys import lineage_key

Coordinates = tuple[str, int, int]
"""Topic, partition, offset."""


@asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer that sends what it is given, however large."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=64 * 1024 * 1024)
    async with producer:
        yield producer


async def publish_events(
    producer: AIOKafkaProducer, topic: str, events: Iterable[Event], partition: int | None = None
) -> None:
    """Say events, one after the other, in structured mode."""
    for event in events:
        await producer.send_and_wait(
            topic, encode(event), lineage_key(event), partition=partition, headers=STRUCTURED_HEADERS
        )


async def read_all(kafka: str, topic: str) -> list[ConsumerRecord]:
    """Every message that the topic holds now, each partition's in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await _ends(consumer, topic)
        consumer.assign(list(ends))
        records: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=500)
            records += [record for partition in fetched.values() for record in partition]
        return records
    finally:
        await consumer.stop()


async def lag(kafka: str, group: str, topic: str) -> int:
    """How many messages of the topic lie behind the group's committed offsets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await consumer.start()
    await admin.start()
    try:
        ends = await _ends(consumer, topic)
        starts = await consumer.beginning_offsets(list(ends))
        committed = await admin.list_consumer_group_offsets(group)
        reached = {
            partition: max(committed[partition].offset if partition in committed else 0, starts[partition])
            for partition in ends
        }
        return sum(end - reached[partition] for partition, end in ends.items())
    finally:
        await admin.close()
        await consumer.stop()


def by_coordinates(dead_letters: Iterable[ConsumerRecord]) -> dict[Coordinates, list[ConsumerRecord]]:
    """Dead letters by where the bad message was read; a redelivery may repeat one."""
    letters: dict[Coordinates, list[ConsumerRecord]] = defaultdict(list)
    for letter in dead_letters:
        topic, partition, offset = (header(letter, name) for name in ("topic", "partition", "offset"))
        letters[topic, int(partition), int(offset)].append(letter)
    return letters


def header(letter: ConsumerRecord, name: str) -> str:
    """What a dead letter says in the header ``llamalog-<name>``."""
    said: bytes = dict(letter.headers)[f"llamalog-{name}"]
    return said.decode()


async def _ends(consumer: AIOKafkaConsumer, topic: str) -> dict[TopicPartition, int]:
    partitions = await _partitions(consumer, topic)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return ends


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    await consumer._client.force_metadata_update()
    consumer.assign([])
    await consumer._client.set_topics([topic])
    return [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))]
