"""What was there before events existed, told to the topic of entity events."""

from collections.abc import Callable

from llamalog_service.adoption.legacy_events.publish import LegacyPublisher, PublishLegacyReport, Told
from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.producer import MessageProducer
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics
from llamalog_service.log.eventless_rows import EventlessRowStore
from llamalog_service.postgres.pool import open_pool
from llamalog_service.settings import Settings


async def publish_legacy_events(
    settings: Settings, watch: Callable[[Told], None], *, timeout: float
) -> PublishLegacyReport:
    """Publish every row and override that no event has told.

    Args:
        timeout: seconds to wait for Kafka at the start.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await require_fit_topics(settings, timeout=timeout)
    topic = topics(settings.topic_prefix).entity_events.name
    async with (
        open_pool(settings, name="llamalog publish-legacy", keep_plans=False) as pool,
        open_producer(settings, timeout=timeout, compression="gzip") as producer,
    ):
        return await LegacyPublisher(
            EventlessRowStore(pool, topic), MessageProducer(producer), topic, watch
        ).run()
