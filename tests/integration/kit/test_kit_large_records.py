"""Large records for the consumer kit: decoded a few at once, returned once each, committed."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker

from harness.large import dense
from harness.provenance_messages import publish_rows, row, take
from harness.settled import wait_until_committed
from harness.topics import lag, producing
from llamalog_schemas.consumer import Change, ProvenanceConsumer
from llamalog_schemas.consumer.subscriber import provenance_subscriber
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

COUNT, KILOBYTES = 24, 240
DECODED = 1024 // KILOBYTES


class AwayError(Exception):
    """The store does not answer."""


class Looked:
    """A store of revisions that knows none, and is away at its second call.

    Attributes:
        counts: how many rows it was called with, each time.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        self.counts.append(len(rows))
        if len(self.counts) == 2:
            raise AwayError
        return {}


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """One whose record batches are small as they are sent, and large once they are decompressed."""
    large = 2**24
    async with producing(
        settings.kafka,
        compression_type="gzip",
        linger_ms=1000,
        max_batch_size=large,
        max_request_size=large,
    ) as producer:
        yield producer


async def publish_large(producer: AIOKafkaProducer, topic: str) -> list[UUID]:
    ids = [UUID(int=number) for number in range(1, COUNT + 1)]
    metadata = dense(KILOBYTES)
    for partition in (0, 1):
        rows = [row(row_id, metadata=metadata) for row_id in ids[partition::2]]
        await publish_rows(producer, topic, rows, partition)
    return ids


async def test_a_consumer_decodes_a_few_large_records_at_once(
    topic: str, producer: AIOKafkaProducer, settings: Settings
) -> None:
    ids, looked = await publish_large(producer, topic), Looked()
    group = f"{settings.topic_prefix}large"
    returned: list[UUID] = []
    async with ProvenanceConsumer(settings.kafka, group=group, topic=topic, revisions=looked) as reading:
        while len(returned) < COUNT:
            with suppress(AwayError):
                returned += [update.row.id for update in await take(reading, 1)]
            assert await reading.commit()
    assert sorted(returned) == ids
    assert len(looked.counts) > 2
    assert max(looked.counts) <= DECODED
    assert await lag(settings.kafka, group, topic) == 0


async def test_a_subscriber_decodes_a_few_large_records_at_once(
    topic: str, producer: AIOKafkaProducer, settings: Settings
) -> None:
    ids, looked = await publish_large(producer, topic), Looked()
    broker = KafkaBroker(settings.kafka)
    handled: list[UUID] = []

    @provenance_subscriber(broker, group=f"{settings.topic_prefix}handlers", topic=topic, revisions=looked)
    async def handle(change: Change) -> None:
        handled.append(change.row_id)

    async with broker:
        await broker.start()
        await wait_until_committed(settings, f"{settings.topic_prefix}handlers", topic)
    assert set(handled) == set(ids)
    assert max(looked.counts) <= DECODED
