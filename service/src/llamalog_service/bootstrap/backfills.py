"""Backfills, root overrides and retractions: requested over Kafka, read from PostgreSQL, followed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from llamalog_schemas.backfills import BackfillEndedData
from llamalog_schemas.commands import BackfillRootsData, RunRequest, RunRequestData
from llamalog_service.backfill import retractions, root_overrides
from llamalog_service.backfill.following import follow_run
from llamalog_service.backfill.override_publication import OverridesReport, publish_missing
from llamalog_service.backfill.retractions import PublishedRetraction
from llamalog_service.backfill.root_overrides import PublishedOverride
from llamalog_service.bootstrap import open_fit_publisher, require_fit_servers
from llamalog_service.kafka.following import open_run_events
from llamalog_service.kafka.publisher import open_publisher
from llamalog_service.kafka.reader import TopicReader
from llamalog_service.kafka.topics import topics_of
from llamalog_service.log.overrides import OverrideStore
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
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
    async with open_fit_publisher(settings, source, timeout=timeout) as publisher:
        await publisher.request_backfill(run, data)


async def request_run_action(
    settings: Settings, request: type[RunRequest], data: RunRequestData, *, source: str, timeout: float
) -> None:
    """Command the migration consumer to pause, resume or cancel a backfill.

    Raises:
        LlamalogError: as for `request_backfill`.
    """
    async with open_fit_publisher(settings, source, timeout=timeout) as publisher:
        await publisher.request_run_change(request, data)


async def publish_overrides(settings: Settings, *, timeout: float) -> OverridesReport:
    """Publish the overrides that their topic lacks.

    Args:
        timeout: seconds to wait for each server at the start.

    Raises:
        LlamalogError: the database or the topics are unfit, or a server is away.
    """
    await require_fit_servers(settings, timeout=timeout)
    topic = TopicReader(settings, topics_of(settings).overrides.name)
    ends = {partition: span.end for partition, span in (await topic.spans()).items()}
    async with (
        open_pool(settings, name="llamalog overrides") as pool,
        open_publisher(settings, "/llamalog/overrides", timeout=timeout) as publisher,
    ):
        return await publish_missing(OverrideStore(pool), publisher, topic.read({}, ends))


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


async def retract_event(
    settings: Settings,
    row: UUID,
    *,
    source: str,
    retracted: bool,
    reason: str,
    requested_by: str,
    timeout: float,
    unseen: bool,
) -> PublishedRetraction:
    """Take an event back; arguments and errors as of `backfill.retractions.retract_event`."""
    async with open_pool(settings, name="llamalog retract", only_reads=True) as pool:
        return await retractions.retract_event(
            Reader(pool),
            partial(open_fit_publisher, settings, source, timeout=timeout),
            row,
            source=source,
            retracted=retracted,
            reason=reason,
            requested_by=requested_by,
            timeout=timeout,
            unseen=unseen,
        )


async def override_root(
    settings: Settings,
    job: str,
    *,
    source: str,
    adopted: bool,
    reason: str,
    requested_by: str,
    timeout: float,
) -> PublishedOverride:
    """Override a root; arguments and errors as of `backfill.root_overrides.override_root`."""
    async with open_pool(settings, name="llamalog override") as pool:
        return await root_overrides.override_root(
            Reader(pool),
            partial(open_fit_publisher, settings, source, timeout=timeout),
            job,
            source=source,
            adopted=adopted,
            reason=reason,
            requested_by=requested_by,
            timeout=timeout,
        )
