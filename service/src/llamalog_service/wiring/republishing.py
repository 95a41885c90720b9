"""Provenance told again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamalog_service.publish.producer import Publisher
from llamalog_service.publish.topics import topics
from llamalog_service.replay.reading import Watch
from llamalog_service.replay.republish import Republishing
from llamalog_service.settings import Settings
from llamalog_service.store.log import LogStore
from llamalog_service.store.reader import Reader
from llamalog_service.wiring.connections import open_pool, open_producer
from llamalog_service.wiring.topics import refuse_unfit_topics


@asynccontextmanager
async def open_republishing(
    settings: Settings, watch: Watch, *, patience: float
) -> AsyncIterator[Republishing]:
    """What tells rows again, over connections of its own.

    Raises:
        LlamalogError: the topics are unfit, or Kafka is away for `patience` seconds.
    """
    await refuse_unfit_topics(settings, patience=patience)
    async with (
        open_pool(settings, name="llamalog republish") as looking,
        open_pool(settings, name="llamalog republish, searching", keep_plans=False) as searching,
        open_producer(settings, patience=patience) as producer,
    ):
        topic = topics(settings.topic_prefix).provenance.name
        yield Republishing(Reader(searching), LogStore(looking), Publisher(producer), topic, watch)
