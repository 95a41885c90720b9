"""Backfills from an operator's side: asked for over Kafka, read from PostgreSQL, followed on their topic."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from llamalog_schemas.backfills import BackfillEnded, BackfillEndedData, BackfillProgressedData
from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.feeds import open_run_events
from llamalog_service.kafka.publisher import EventPublisher, MessageProducer
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.backfills import BackfillRun, read_backfill
from llamalog_service.settings import DatabaseSettings, Settings

_SOURCE = "/llamalog/cli"
_LOOK_SECONDS = 1.0
_GRACE_LOOKS = 5
"""So often the events may be silent of a run that has ended; then its row has the last word."""

Followed = BackfillRun | BackfillProgressedData | BackfillEndedData


class UnknownRunError(LlamalogError):
    """No run of that id is known, neither in the database nor on the topic of events."""

    def __init__(self, run: UUID, seconds: float) -> None:
        super().__init__(
            f"No backfill {run} is known, and none was heard of within {seconds:.0f} s. Look with "
            "`llamalog backfill list`; if it was just asked for, see whether a migration consumer (`llamalog "
            "migration-consumer`) runs."
        )


async def ask_for_backfill(settings: Settings, run: UUID, data: BackfillRootsData, *, timeout: float) -> None:
    """Ask the migration consumer for a backfill.

    Raises:
        UnavailableError: Kafka did not acknowledge it within `timeout` seconds; asking again is safe.
        TopicsUnfitError: the topics are not as they have to be.
    """
    async with _publishing(settings, timeout) as publisher:
        await publisher.request_backfill(run, data)


async def ask_of_run(
    settings: Settings, request: type[RunRequest], data: RunRequestData, *, timeout: float
) -> None:
    """Ask the migration consumer to pause, resume or cancel a backfill.

    Raises:
        LlamalogError: as for `ask_for_backfill`.
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
    """Hand on what the topic tells of a run, from its oldest event that is kept, until the run has ended.

    The end is told by an event too; should that be away (kept no longer, or not published yet), by the row.

    Args:
        show: gets every event's data in order, the end included.
        timeout: seconds to wait for a run that nobody knows yet.

    Returns:
        How the run ended.

    Raises:
        UnknownRunError: after `timeout`.
        UnavailableError: PostgreSQL is away, or Kafka at the beginning.
    """
    clock = asyncio.get_running_loop().time
    began, silent_looks = clock(), 0
    async with open_run_events(settings, run) as events, open_backfills(settings) as reader:
        while True:
            heard = await events.next(within=_LOOK_SECONDS)
            for event in heard:
                show(event.data)
                if isinstance(event, BackfillEnded):
                    return event.data
            if not events.is_silent:
                continue
            row = await read_backfill(reader, run)
            if row is not None and row.has_ended:
                silent_looks += 1
                if silent_looks >= _GRACE_LOOKS:
                    show(row)
                    return row
            if row is None and not events.any_seen and clock() - began > timeout:
                raise UnknownRunError(run, timeout)
