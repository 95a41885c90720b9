"""Pools and clients, built from settings, closed by whoever opened them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from llamalog_service.kafka.errors import kafka_errors_as_ours
from llamalog_service.postgres.connection import prepare_connection
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import DatabaseSettings, Settings

_MEBIBYTE = 1024 * 1024
_SILENCE_SECONDS = 1
"""More than a statement is given, PostgreSQL is given to say so."""
_ANSWERS_WITHIN = 3600.0
_CONNECTED_WITHIN = 60.0
_ONLY_READS = {"plan_cache_mode": "force_generic_plan", "default_transaction_read_only": "on"}


@asynccontextmanager
async def open_pool(
    settings: DatabaseSettings,
    *,
    name: str,
    keep_plans: bool = True,
    only_reads: bool = False,
    most: int = 4,
    answer_within: float | None = 60,
    idle_within: float | None = None,
) -> AsyncIterator[asyncpg.Pool]:
    """A pool that connects at first use, so that a database that is away is waited for.

    Every query of the service has its index, and none may be given a scan of the table because it was
    planned while the table was small.

    Args:
        name: what PostgreSQL shows as the application.
        keep_plans: False, for the recompute, plans every statement anew and may scan.
        only_reads: plans each statement once, whatever its values, and leaves nothing in a session that
            had to be cleared after use: half of the time of a short query.
        most: connections.
        answer_within: whole seconds for a statement, or for a connection to be made; None: a statement may
            take for ever.
        idle_within: seconds after which PostgreSQL ends a session that does nothing within a transaction; a
            process that is frozen there would keep its locks from all others. None: never.
    """
    pool = asyncpg.create_pool(
        settings.database_dsn(),
        min_size=0,
        max_size=most,
        init=prepare_connection,
        timeout=answer_within or _CONNECTED_WITHIN,
        command_timeout=_patience_with_statements(answer_within, short=keep_plans),
        statement_cache_size=100 if keep_plans else 0,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            "enable_seqscan": "off" if keep_plans else "on",
            **(_ONLY_READS if only_reads else {}),
            # PostgreSQL says of itself that a question takes too long; a silence then means that it is away.
            **({"statement_timeout": f"{answer_within:.0f}s"} if only_reads and answer_within else {}),
            **({"idle_in_transaction_session_timeout": f"{idle_within * 1000:.0f}"} if idle_within else {}),
        },
        reset=_leave_as_it_is if only_reads else None,
    )
    async with pool:
        yield pool


def _patience_with_statements(answer_within: float | None, *, short: bool) -> float | None:
    """Seconds; those that plan anew, and may scan, are given longer than the `short` ones."""
    if answer_within is None:
        return None
    return answer_within + _SILENCE_SECONDS if short else _ANSWERS_WITHIN


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Clear nothing: reads set, lock and listen to nothing."""


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
        with kafka_errors_as_ours(settings.kafka):
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
    with kafka_errors_as_ours(settings.kafka):
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
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if skips else "none",
        fetch_max_wait_ms=50,
    )
    with kafka_errors_as_ours(settings.kafka):
        try:
            await reader.start()
            yield reader
        finally:
            await reader.stop()
