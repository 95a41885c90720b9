"""The rows of an adopted table told as events."""

from llamalog_service.publish.producer import Publisher
from llamalog_service.publish.topics import topics
from llamalog_service.replay.genesis import Genesis, Told
from llamalog_service.replay.reading import Watch
from llamalog_service.settings import Settings
from llamalog_service.store.genesis import GenesisStore
from llamalog_service.wiring.connections import open_pool, open_producer
from llamalog_service.wiring.topics import refuse_unfit_topics


async def tell_genesis(settings: Settings, watch: Watch, *, anew: bool, patience: float) -> Told:
    """Tell every row and decree that has no event, or go on with what an earlier call began.

    Args:
        anew: tell everything again, from the first.
        patience: seconds to wait for Kafka at the beginning.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await refuse_unfit_topics(settings, patience=patience)
    async with (
        open_pool(settings, name="llamalog genesis", keep_plans=False) as pool,
        open_producer(settings, patience=patience, compression="gzip") as producer,
    ):
        store = GenesisStore(pool)
        if anew:
            await store.begin_anew()
        topic = topics(settings.topic_prefix).entity_events.name
        return await Genesis(store, Publisher(producer), topic, watch).run()
