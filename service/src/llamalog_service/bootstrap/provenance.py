"""The provenance topic followed from now on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamalog_service.kafka.clients import open_admin, open_reader
from llamalog_service.kafka.consumer import read_any_header_name
from llamalog_service.kafka.errors import TopicAbsentError
from llamalog_service.kafka.offsets import partitions_of
from llamalog_service.kafka.provenance_feed import ProvenanceFeed
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings


@asynccontextmanager
async def open_provenance_feed(settings: Settings) -> AsyncIterator[ProvenanceFeed]:
    """A feed of what is told of rows from this moment on; does not wait for Kafka to be there.

    Raises:
        TopicAbsentError: there is no topic of provenance.
        UnavailableError: Kafka does not answer. Once the feed is open, it says so itself and goes on.
    """
    topic = topics(settings.topic_prefix).provenance.name
    read_any_header_name()
    async with open_admin(settings) as admin:
        partitions = await partitions_of(admin, [topic])
    if not partitions:
        raise TopicAbsentError(topic)
    async with open_reader(settings) as reader:
        yield await ProvenanceFeed.open(
            reader, partitions, bootstrap=settings.kafka, knows_ends=settings.kafka_durable
        )
