"""What was there before events existed, told to the topic of entity events."""

from collections.abc import Callable

from llamalog_service.adoption.legacy_events.publish import Genesis, GenesisReport, Told
from llamalog_service.bootstrap.connections import open_pool, open_producer
from llamalog_service.bootstrap.topics import refuse_unfit_topics
from llamalog_service.kafka.producer import Publisher
from llamalog_service.kafka.topics import topics
from llamalog_service.log.eventless_rows import GenesisStore
from llamalog_service.settings import Settings


async def tell_genesis(
    settings: Settings, watch: Callable[[Told], None], *, patience: float
) -> GenesisReport:
    """Publish every row and decree that no event has told.

    Args:
        patience: seconds to wait for Kafka at the start.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await refuse_unfit_topics(settings, patience=patience)
    topic = topics(settings.topic_prefix).entity_events.name
    async with (
        open_pool(settings, name="llamalog genesis", keep_plans=False) as pool,
        open_producer(settings, patience=patience, compression="gzip") as producer,
    ):
        return await Genesis(GenesisStore(pool, topic), Publisher(producer), topic, watch).run()
