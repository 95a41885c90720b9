"""Backfills for operators: requested over Kafka, read from PostgreSQL, followed on their topic."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from llamalog_schemas.backfills import BackfillEnded, BackfillEndedData, BackfillProgressedData
from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.clients import MessageProducer, open_producer
from llamalog_service.kafka.feeds import open_run_events
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.backfills import BackfillRun, read_backfill
from llamalog_service.settings import DatabaseSettings, Settings

_SOURCE = "/llamalog/cli"
_POLL_SECONDS = 1.0
_MAX_SILENT_POLLS = 5
"""Polls without an event of a run that has ended, after which its row counts as its end."""

Followed = BackfillRun | BackfillProgressedData | BackfillEndedData


class UnknownRunError(LlamalogError):
    """Neither the database nor the topic of events has a run of that id."""

    def __init__(self, run: UUID, seconds: float) -> None:
        super().__init__(
            f"No backfill {run} is known, and no event of it came within {seconds:.0f} s. Look with "
            "`llamalog backfill list`; if it was just requested, see whether a migration consumer (`llamalog "
            "migration-consumer`) runs."
        )


async def request_backfill(settings: Settings, run: UUID, data: BackfillRootsData, *, timeout: float) -> None:
    """Command a backfill of the migration consumer.

    Raises:
        UnavailableError: Kafka did not acknowledge it within `timeout` seconds; repeating is safe.
        TopicsUnfitError: the topics are not as they have to be.
    """
    async with _publishing(settings, timeout) as publisher:
        await publisher.request_backfill(run, data)


async def request_run_action(
    settings: Settings, request: type[RunRequest], data: RunRequestData, *, timeout: float
) -> None:
    """Command the migration consumer to pause, resume or cancel a backfill.

    Raises:
        LlamalogError: as for `request_backfill`.
    """
    async with _publishing(settings, timeout) as publisher:
        await publisher.request_run_change(request, data)


@asynccontextmanager
async def _publishing(settings: Settings, timeout: float) -> AsyncIterator[EventPublisher]:
    await require_fit_topics(settings, timeout=timeout)
    async with open_producer(settings, timeout=timeout) as producer:
        yield EventPublisher(MessageProducer(producer), topics(settings.topic_prefix), source=_SOURCE)


@asynccontextmanager
async def open_backfills(settings: DatabaseSettings) -> AsyncIterator[Reader]:
    """Reads of the runs, over a pool of its own."""
    async with open_pool(settings, name="llamalog backfill") as pool:
        yield Reader(pool)


async def follow_backfill(
    settings: Settings, run: UUID, show: Callable[[Followed], None], *, timeout: float
) -> BackfillEndedData | BackfillRun:
    """Show the events of a run, from its oldest retained one, until the run has ended.

    The end is an event too; where that is missing (expired, or not published yet), the run's row.

    Args:
        show: called with every event's data in order, the end included.
        timeout: seconds to wait for a run that is not known yet.

    Returns:
        The end of the run.

    Raises:
        UnknownRunError: after `timeout`.
        UnavailableError: PostgreSQL is away, or Kafka at the beginning.
    """
    clock = asyncio.get_running_loop().time
    began, silent_polls = clock(), 0
    async with open_run_events(settings, run) as events, open_backfills(settings) as reader:
        while True:
            received = await events.next(within=_POLL_SECONDS)
            for event in received:
                show(event.data)
                if isinstance(event, BackfillEnded):
                    return event.data
            if not events.is_silent:
                continue
            row = await read_backfill(reader, run)
            if row is not None and row.has_ended:
                silent_polls += 1
                if silent_polls >= _MAX_SILENT_POLLS:
                    show(row)
                    return row
            if row is None and not events.any_seen and clock() - began > timeout:
                raise UnknownRunError(run, timeout)
