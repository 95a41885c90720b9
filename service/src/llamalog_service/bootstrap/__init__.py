"""Composition root: builds the pools, clients and processes of each command from its settings."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamalog_service.kafka.clients import require_login
from llamalog_service.kafka.publisher import EventPublisher, open_publisher
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.settings import DatabaseSettings, Settings


def tune_garbage_collector() -> None:
    """Collect seldom, in processes whose batches create 100,000 objects and no cycles of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


async def require_fit_servers(settings: Settings, *, timeout: float | None = None) -> None:
    """Refuse a database or topics that llamalog cannot work with; wait for those that are away.

    Both are checked at once, so that a wrong setting of one is not hidden by the absence of the other.

    Args:
        timeout: seconds to wait for each; None waits without a limit.

    Raises:
        DatabaseUnfitError: as of `require_fit_database`.
        KafkaLoginRefusedError: as of `require_login`.
        TopicsUnfitError: as of `require_fit_topics`.
        UnavailableError: PostgreSQL or Kafka did not answer within `timeout` seconds.
    """
    checks = [
        asyncio.create_task(require_fit_database(settings, timeout=timeout)),
        asyncio.create_task(_require_fit_kafka(settings, timeout)),
    ]
    try:
        await asyncio.gather(*checks)
    finally:
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)


async def _require_fit_kafka(settings: Settings, timeout: float | None) -> None:
    await require_login(settings, timeout=timeout)
    await require_fit_topics(settings, timeout=timeout)


@asynccontextmanager
async def open_log(settings: DatabaseSettings) -> AsyncIterator[Reader]:
    """A reader of the log, over a pool of its own."""
    async with open_pool(settings, name="llamalog reading", only_reads=True) as pool:
        yield Reader(pool)


@asynccontextmanager
async def open_fit_publisher(
    settings: Settings, source: str, *, timeout: float
) -> AsyncIterator[EventPublisher]:
    """A publisher for one request, if the topics are as they have to be.

    Args:
        source: the CloudEvents source, by what requested it.
        timeout: seconds to wait for Kafka.

    Raises:
        TopicsUnfitError: as of `require_fit_topics`.
        UnavailableError: Kafka did not answer.
    """
    await require_fit_topics(settings, timeout=timeout)
    async with open_publisher(settings, source, timeout=timeout) as publisher:
        yield publisher
