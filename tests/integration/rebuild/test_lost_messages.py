"""A reader of a whole topic stops where Kafka loses messages after the offsets were read."""

from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from harness.topics import producing, publish_events
from histories import chains
from llamalog_service.kafka.reader import MessagesGoneError, Span, TopicReader
from llamalog_service.kafka.topics import topics
from llamalog_service.rebuild.archive.archive import Archive
from llamalog_service.rebuild.archive.archiver import Archiver
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka


class Losing(TopicReader):
    """A topic whose first partition begins later once its offsets were read."""

    def __init__(self, settings: Settings, *, before: int) -> None:
        self._kafka = settings.kafka
        self._name = topics(settings.topic_prefix).entity_events.name
        super().__init__(settings, self._name)
        self._before = before

    async def spans(self) -> dict[int, Span]:
        spans = await super().spans()
        admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(self._name, 0): RecordsToDelete(self._before)})
        finally:
            await admin.close()
        return spans


async def publish_many(settings: Settings, count: int, first: int = 1) -> str:
    topic = topics(settings.topic_prefix).entity_events.name
    async with producing(settings.kafka) as producer:
        await publish_events(producer, topic, chains(count, first=first), partition=0)
    return topic


async def test_messages_lost_before_they_are_read_end_the_reading(settings: Settings, tmp_path: Path) -> None:
    topic = await publish_many(settings, 12)
    with pytest.raises(MessagesGoneError, match=rf"Partition 0 of {topic} .* offset 0.* begins at 5"):
        await Archiver(tmp_path, topic, Losing(settings, before=5)).run()


async def test_messages_lost_after_an_archive_end_the_reading_and_archived_ones_do_not(
    settings: Settings, tmp_path: Path
) -> None:
    topic = await publish_many(settings, 6)
    archived = (await Archiver(tmp_path, topic, TopicReader(settings, topic)).run()).messages
    assert archived == 6
    await publish_many(settings, 6, first=100)
    with pytest.raises(MessagesGoneError, match=r"offset 6.* begins at 9"):
        await Archiver(tmp_path, topic, Losing(settings, before=9)).run()
    assert (await Archive(tmp_path, topic).check())[0] == (0, 6)


async def test_messages_that_were_read_may_be_lost(settings: Settings) -> None:
    await publish_many(settings, 12)
    history = Losing(settings, before=5)
    ends = {partition: span.end for partition, span in (await history.spans()).items()}
    read = [record.offset async for portion in history.read({0: 5}, ends) for record in portion.records]
    assert read == list(range(5, 12))
