"""Apache Kafka is killed under the kit: its delivery statistics are right."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer

from harness.provenance_messages import publish_rows, row, take
from harness.topics import read_all
from harness.waiting import TIMEOUT, eventually
from llamalog_schemas import EntityEvent, decode_event
from llamalog_schemas.consumer import ProvenanceConsumer
from llamalog_schemas.producer import AiokafkaTransport, LlamaLogger, Loss, LossReason
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_tools.devstack.apache_kafka import ApacheKafka

pytestmark = pytest.mark.apache_kafka


@pytest.fixture
def settings(breakable: Settings) -> Settings:
    return breakable


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Gives a request up soon, as a service with little timeout would have it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", request_timeout_ms=2000, retry_backoff_ms=100
    )
    async with producer:
        yield producer


async def publish(log: LlamaLogger, number: int) -> set[UUID]:
    ids = {uuid4() for _ in range(number)}
    with log.job("root"):
        for event_id in ids:
            await log.created("TRACK", uuid4(), operation="track:created:enrichment", event_id=event_id)
    return ids


async def ids_in_topic(settings: Settings) -> list[UUID]:
    records = await read_all(settings.kafka, topics(settings.topic_prefix).entity_events.name)
    return [UUID(decode_event(record.value).id) for record in records]


def id_of(loss: Loss) -> UUID:
    assert loss.message is not None
    event = decode_event(loss.message.value)
    assert isinstance(event, EntityEvent)
    return UUID(event.id)


async def test_closing_without_kafka_reports_delivered_and_lost_events(
    settings: Settings, breakable_kafka: ApacheKafka, producer: AIOKafkaProducer
) -> None:
    losses: list[Loss] = []
    topic = topics(settings.topic_prefix).entity_events.name
    log = LlamaLogger(AiokafkaTransport(producer), source="/x", topic=topic, on_loss=losses.append)
    delivered = await publish(log, 200)
    assert (await log.flush(20)).everything_delivered
    await asyncio.to_thread(breakable_kafka.kill)
    try:
        pending = await publish(log, 100)
        stats = await asyncio.wait_for(log.close(2), TIMEOUT)
    finally:
        await asyncio.to_thread(breakable_kafka.start)
    assert not stats.everything_delivered
    assert (stats.published, stats.delivered, stats.lost, stats.pending) == (300, 200, 100, 0)
    assert {loss.reason for loss in losses} == {LossReason.CLOSED}
    assert {id_of(loss) for loss in losses} == pending
    assert delivered <= set(await ids_in_topic(settings))


async def test_events_published_without_kafka_arrive_when_it_is_back(
    settings: Settings, breakable_kafka: ApacheKafka, producer: AIOKafkaProducer
) -> None:
    names = topics(settings.topic_prefix)
    log = LlamaLogger(AiokafkaTransport(producer), source="/x", topic=names.entity_events.name)
    reader = ProvenanceConsumer(
        settings.kafka, group=f"{settings.topic_prefix}kit", topic=names.provenance.name
    )
    rows = [row() for _ in range(20)]
    async with reader:
        await publish_rows(producer, names.provenance.name, rows[:10])
        heard = await take(reader, 10)
        assert await reader.commit()

        published = await publish(log, 100)
        await asyncio.to_thread(breakable_kafka.kill)
        published |= await publish(log, 100)
        await asyncio.sleep(4)
        assert log.stats.pending
        assert not log.stats.lost
        await asyncio.to_thread(breakable_kafka.start)

        assert (await log.close(60)).everything_delivered
        assert set(await ids_in_topic(settings)) == published

        await publish_rows(producer, names.provenance.name, rows[10:])
        heard += await take(reader, 10)
        await eventually(reader.commit)
    assert sorted(update.row.id for update in heard) == sorted(each.id for each in rows)
