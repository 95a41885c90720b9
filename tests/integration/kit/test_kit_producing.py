"""The producer kit on a real broker, over both clients, and from service to service."""

import asyncio
import warnings
from uuid import uuid4

from aiokafka import AIOKafkaProducer, ConsumerRecord
from faststream.kafka import KafkaBroker

from harness.topics import read_all
from harness.waiting import TIMEOUT, eventually
from llamalog_schemas import EntityEvent, decode_event, lineage_key
from llamalog_schemas.producer import (
    AiokafkaTransport,
    FastStreamTransport,
    InMemoryTransport,
    Job,
    LlamaLogger,
    UnknownRootWarning,
    current_job,
)
from llamalog_schemas.producer.middleware import JobMiddleware, job_middleware
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings


def events_topic(settings: Settings) -> str:
    return topics(settings.topic_prefix).entity_events.name


async def recorded(settings: Settings) -> dict[str, tuple[ConsumerRecord, EntityEvent]]:
    """What lies in the topic, by job."""
    found = {}
    for record in await read_all(settings.kafka, events_topic(settings)):
        event = decode_event(record.value, record.headers)
        assert isinstance(event, EntityEvent)
        assert record.key == lineage_key(event)
        found[str(event.data.job_id)] = (record, event)
    return found


async def publish_in_jobs(log: LlamaLogger, number: int) -> None:
    with log.job("root"):
        for count in range(number):
            with log.job(f"job-{count}"):
                await log.created("TRACK", uuid4(), operation="track:created:enrichment")


async def test_events_reach_kafka_over_aiokafka(settings: Settings) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all") as producer:
        log = LlamaLogger(AiokafkaTransport(producer), source="/catalogue", topic=events_topic(settings))
        await publish_in_jobs(log, 500)
        assert (await log.close(20)).everything_delivered
    assert len(await recorded(settings)) == 500


async def test_events_reach_kafka_over_faststream_as_the_same_messages(settings: Settings) -> None:
    async with KafkaBroker(settings.kafka, acks="all", middlewares=[JobMiddleware]) as broker:
        await broker.start()
        log = LlamaLogger(FastStreamTransport(broker), source="/catalogue", topic=events_topic(settings))
        await publish_in_jobs(log, 20)
        assert (await log.close(20)).everything_delivered
    found = await recorded(settings)
    assert len(found) == 20
    record, event = found["job-3"]
    assert dict(record.headers)["content-type"] == b"application/cloudevents+json; charset=UTF-8"
    assert event.data.parent_job_id == "root"


async def test_a_message_too_large_for_kafka_is_reported_and_the_others_arrive(settings: Settings) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", max_request_size=2000)
    async with producer:
        log = LlamaLogger(AiokafkaTransport(producer), source="/catalogue", topic=events_topic(settings))
        with log.job("small"):
            await log.created("ALBUM", uuid4(), operation="album:created")
        await log.created("ALBUM", uuid4(), operation="album:created", metadata={"long": "x" * 5000})
        stats = await log.close(20)
    assert (stats.delivered, stats.not_delivered) == (1, 1)
    assert list(await recorded(settings)) == ["small"]


async def test_a_chain_goes_from_service_to_service_by_itself(settings: Settings) -> None:
    """album-create-1 makes another service enrich, which makes a third one cache."""
    prefix = settings.topic_prefix
    memory = InMemoryTransport()
    log = LlamaLogger(memory, source="/catalogue", strict=True)
    names_the_job = job_middleware(lambda record: record.key and record.key.decode())
    first = KafkaBroker(settings.kafka, middlewares=[JobMiddleware])
    others = KafkaBroker(settings.kafka, middlewares=[names_the_job])

    @others.subscriber(f"{prefix}enrich", group_id=f"{prefix}e", auto_offset_reset="earliest")
    @others.publisher(f"{prefix}cache", key=b"cache-9")
    async def enrich(body: str) -> str:
        await log.enriched("ALBUM", uuid4(), operation="enrichment:album")
        return body

    @others.subscriber(f"{prefix}cache", group_id=f"{prefix}c", auto_offset_reset="earliest")
    async def cache(body: str) -> None:
        await log.cached("ALBUM", uuid4(), operation="cache:album-cover-art")

    async def both_have_spoken() -> bool:
        return len(memory.messages) == 2

    async with first, others:
        await asyncio.gather(first.start(), others.start())
        with log.job("album-create-1"):
            await first.publish("album", f"{prefix}enrich", key=b"enrich-7")
        await eventually(both_have_spoken)
    published = [event.data for event in memory.events if isinstance(event, EntityEvent)]
    assert [(data.job_id, data.parent_job_id, data.root_job_id) for data in published] == [
        ("enrich-7", "album-create-1", "album-create-1"),
        ("cache-9", "enrich-7", "album-create-1"),
    ]
    assert current_job() is None


async def test_a_job_that_the_middleware_enters_without_a_known_root_warns_where_it_is_named(
    settings: Settings,
) -> None:
    """The sender names its parent and no root; the handler names no job."""
    topic = f"{settings.topic_prefix}work"
    handled = asyncio.Event()

    def names_the_job(record: ConsumerRecord) -> str:
        return f"job-{record.offset}"

    broker = KafkaBroker(settings.kafka, middlewares=[job_middleware(names_the_job)])

    @broker.subscriber(topic, group_id=topic, auto_offset_reset="earliest")
    async def work(body: str) -> None:
        if body == "last":
            handled.set()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with broker:
            await broker.start()
            for body in ("first", "last"):
                await broker.publish(body, topic, headers=Job("sender", "unheard").headers())
            await asyncio.wait_for(handled.wait(), TIMEOUT)
    (warning,) = [each for each in caught if each.category is UnknownRootWarning]
    code = names_the_job.__code__
    assert (warning.filename, warning.lineno) == (code.co_filename, code.co_firstlineno)
    assert "job-0 was started by sender" in str(warning.message)


async def test_headers_that_a_caller_set_stay(settings: Settings) -> None:
    topic = topics(settings.topic_prefix).backfill_events.name
    log = LlamaLogger(InMemoryTransport(), source="/catalogue")
    async with KafkaBroker(settings.kafka, middlewares=[JobMiddleware]) as broker:
        await broker.start()
        with log.job("here"):
            await broker.publish("work", topic, headers=Job("elsewhere").headers())
    (record,) = await read_all(settings.kafka, topic)
    assert Job.from_headers(record.headers) == Job("elsewhere")
