"""Kafka clients, built from settings and closed with their context."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from llamalog_service.kafka.errors import translate_kafka_errors
from llamalog_service.kafka.header_names import read_any_header_name
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

_MEBIBYTE = 1024 * 1024


@asynccontextmanager
async def open_producer(
    settings: Settings, *, timeout: float | None = None, compression: str | None = None
) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose messages are acknowledged by all replicas; waits until Kafka is there.

    Args:
        compression: of batches, by its name in Kafka; None: they are sent as they are.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        compression_type=compression,
        enable_idempotence=settings.kafka_durable,
        linger_ms=2,
        max_batch_size=_MEBIBYTE // 2,
        max_request_size=32 * _MEBIBYTE,
    )

    async def start() -> None:
        with translate_kafka_errors(settings.kafka):
            await producer.start()

    try:
        await retry_until_available(start, doing="connecting to Kafka", timeout=timeout)
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; does not wait.

    Raises:
        UnavailableError: Kafka does not answer; also for what fails within the context.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    with translate_kafka_errors(settings.kafka):
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def open_reader(
    settings: Settings, group: str | None = None, *, skips: bool = True
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is to be assigned partitions and commits nothing by itself; does not wait.

    Args:
        group: whose offsets it is to know; it does not become a member.
        skips: goes on at the beginning where an offset is gone; else it raises OffsetOutOfRangeError.

    Raises:
        UnavailableError: Kafka does not answer; also for what fails within the context.
    """
    read_any_header_name()
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if skips else "none",
        fetch_max_wait_ms=50,
    )
    with translate_kafka_errors(settings.kafka):
        try:
            await reader.start()
            yield reader
        finally:
            await reader.stop()
