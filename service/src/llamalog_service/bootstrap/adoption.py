"""Pools and clients for the adoption of a database, and for the publication of its legacy events."""

from collections.abc import Callable

from llamalog_schemas.commands import BackfillRootsData
from llamalog_service.adoption import adopt
from llamalog_service.adoption.legacy_events import LegacyPublisher, PublishLegacyReport, PublishProgress
from llamalog_service.bootstrap import require_fit_servers
from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topics import topics_of
from llamalog_service.log.topic_moves import require_recorded_topic
from llamalog_service.log.unsourced_rows import UnsourcedRowStore
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import BackfillRun
from llamalog_service.settings import DatabaseSettings, Settings


async def inspect_adoption(settings: DatabaseSettings, *, compat_view: bool = False) -> adopt.AdoptionState:
    """The state of the database; errors as of `adoption.adopt.inspect_adoption`."""
    async with open_pool(settings, name="llamalog adopt") as pool:
        return await adopt.inspect_adoption(settings.database_dsn(), Reader(pool), compat_view=compat_view)


async def adopt_roots(
    settings: DatabaseSettings, request: BackfillRootsData, show: Callable[[BackfillRun], None]
) -> BackfillRun:
    """Work out all roots; arguments and errors as of `adoption.adopt.adopt_roots`."""
    await require_fit_database(settings)
    async with (
        open_pool(settings, name="llamalog adopt", most=6) as pool,
        open_pool(settings, name="llamalog adopt, planning", keep_plans=False) as planning_pool,
    ):
        return await adopt.adopt_roots(pool, planning_pool, request, show)


async def publish_legacy_events(
    settings: Settings, on_progress: Callable[[PublishProgress], None], *, timeout: float
) -> PublishLegacyReport:
    """Publish every row without an event.

    Args:
        timeout: seconds to wait for Kafka at the start.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await require_fit_servers(settings, timeout=timeout)
    topic = topics_of(settings).entity_events.name
    async with (
        open_pool(settings, name="llamalog publish-legacy", keep_plans=False) as pool,
        open_producer(settings, timeout=timeout, compression="gzip") as producer,
    ):
        await require_recorded_topic(pool, topic)
        store = UnsourcedRowStore(pool, topic)
        return await LegacyPublisher(store, MessageProducer(producer), topic, on_progress).run()
