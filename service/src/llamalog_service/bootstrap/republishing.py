"""Provenance told again."""

from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.producer import MessageProducer
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics
from llamalog_service.log.log_store import LogStore
from llamalog_service.postgres.pool import open_pool
from llamalog_service.rebuild.reading import Watch
from llamalog_service.rebuild.republish import Republishing
from llamalog_service.rebuild.republish_store import RepublishingStore, Which
from llamalog_service.settings import Settings


async def republish_provenance(
    settings: Settings,
    which: Which,
    *,
    watch: Watch,
    rate: float | None = None,
    resume: bool = False,
    timeout: float | None = None,
) -> int:
    """Tell rows again as they stand; how many.

    Args:
        rate: rows a second at most; None: as fast as can be.
        resume: go on where an interrupted telling of the same rows was.
        timeout: seconds to wait for Kafka at the start; None waits for ever.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await require_fit_topics(settings, timeout=timeout)
    async with (
        open_pool(settings, name="llamalog republish", keep_plans=False) as finding,
        open_pool(settings, name="llamalog republish, telling") as telling,
        open_producer(settings, timeout=timeout) as producer,
    ):
        names = topics(settings.topic_prefix)
        event_publisher = EventPublisher(MessageProducer(producer), names, source="/llamalog/republish")
        rows = RepublishingStore(finding, names.provenance.name)
        republishing = Republishing(rows, LogStore(telling), event_publisher, rate=rate, watch=watch)
        return await republishing.run(which, resume=resume)
