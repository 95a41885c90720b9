"""Backfills for operators: requested over Kafka, read from PostgreSQL, followed on their topic."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from llamalog_schemas.backfills import BackfillEndedData
from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_service.backfill.following import follow_run
from llamalog_service.kafka.feeds import open_run_events
from llamalog_service.kafka.publisher import EventPublisher, open_publisher
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.backfills import BackfillRun, BackfillState
from llamalog_service.settings import DatabaseSettings, Settings


async def request_backfill(
    settings: Settings, run: UUID, data: BackfillRootsData, *, source: str, timeout: float
) -> None:
    """Command a backfill of the migration consumer.

    Args:
        source: the CloudEvents source, by what requested it.

    Raises:
        UnavailableError: Kafka did not acknowledge it within `timeout` seconds; repeating is safe.
        TopicsUnfitError: the topics are not as they have to be.
    """
    async with _publishing(settings, source, timeout) as publisher:
        await publisher.request_backfill(run, data)


async def request_run_action(
    settings: Settings, request: type[RunRequest], data: RunRequestData, *, source: str, timeout: float
) -> None:
    """Command the migration consumer to pause, resume or cancel a backfill.

    Raises:
        LlamalogError: as for `request_backfill`.
    """
    async with _publishing(settings, source, timeout) as publisher:
        await publisher.request_run_change(request, data)


@asynccontextmanager
async def _publishing(settings: Settings, source: str, timeout: float) -> AsyncIterator[EventPublisher]:
    await require_fit_topics(settings, timeout=timeout)
    async with open_publisher(settings, source, timeout=timeout) as publisher:
        yield publisher


@asynccontextmanager
async def open_backfills(settings: DatabaseSettings) -> AsyncIterator[Reader]:
    """Reads of the runs, over a pool of its own."""
    async with open_pool(settings, name="llamalog backfill") as pool:
        yield Reader(pool)


async def follow_backfill(
    settings: Settings, run: UUID, show: Callable[[BackfillState], None], *, timeout: float
) -> BackfillEndedData | BackfillRun:
    """Follow a run to its end; arguments, result and errors as of `backfill.following.follow_run`.

    Raises:
        UnavailableError: also if Kafka is away at the beginning.
    """
    async with open_run_events(settings, run) as events, open_backfills(settings) as reader:
        return await follow_run(events, reader, run, show, timeout=timeout)
