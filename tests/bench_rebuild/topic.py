"""The topic that is rebuilt from: a day of the sample catalogue, some events sent twice."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from typing import NamedTuple
from zlib import crc32

from aiokafka import AIOKafkaProducer

from bench.installation import Installation
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.events import EntityEvent, lineage_key
from llamalog_tools.demo.day import generate_day

SENT_TWICE = 0.01
_EVENTS_AN_ALBUM = 30
"""Fewer than there are, so that a day of so many albums is long enough."""

_AT_ONCE = 5000
_SEED = 3


class Sent(NamedTuple):
    """The contents of the topic."""

    events: int
    messages: int


class Message(NamedTuple):
    """An event as it is sent."""

    partition: int
    key: bytes
    value: bytes


def events_of_day(count: int, seed: int = _SEED) -> Iterator[EntityEvent]:
    """So many events, always the same of a seed; few of them are in memory at a time."""
    return islice(generate_day(1 + count // _EVENTS_AN_ALBUM, seed), count)


def message_of(event: EntityEvent, partitions: int) -> Message:
    """An event in structured mode, in the partition of its lineage."""
    key = lineage_key(event)
    return Message(crc32(key) % partitions, key, encode(event))


async def populate_topic(installation: Installation, count: int) -> Sent:
    """Send so many events, and one in a hundred of them again."""
    topic = installation.topics.entity_events
    dice = Random(_SEED)
    events = messages = 0
    async with AIOKafkaProducer(
        bootstrap_servers=installation.bootstrap, acks="all", linger_ms=5, max_batch_size=512 * 1024
    ) as producer:
        for some in _portions(events_of_day(count)):
            again = [event for event in some if dice.random() < SENT_TWICE]
            await send(producer, topic.name, [message_of(event, topic.partitions) for event in some + again])
            events += len(some)
            messages += len(some) + len(again)
    return Sent(events, messages)


def _portions(events: Iterator[EntityEvent]) -> Iterator[list[EntityEvent]]:
    while portion := list(islice(events, _AT_ONCE)):
        yield portion


async def send(producer: AIOKafkaProducer, topic: str, messages: Iterable[Message]) -> None:
    """Send whole batches: a million single sends would take longer than the rebuild."""
    by_partition: dict[int, list[Message]] = {}
    for message in messages:
        by_partition.setdefault(message.partition, []).append(message)
    sent: list[asyncio.Future[object]] = []
    for partition, share in by_partition.items():
        batch = producer.create_batch()
        for _, key, value in share:
            if batch.append(key=key, value=value, timestamp=None, headers=STRUCTURED_HEADERS) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=STRUCTURED_HEADERS)
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)
