"""The provenance topic followed from now on; while Kafka is away, that is reported."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from harness.topics import grow_topic
from harness.waiting import TIMEOUT
from histories import NOON, event
from llamalog_schemas.provenance import Origin, Provenance
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import StoredRow, content_of
from llamalog_service.kafka import clients
from llamalog_service.kafka.clients import MessageToSend, open_admin, open_producer
from llamalog_service.kafka.following import ProvenanceBatch, ProvenanceFollower, open_provenance_follower
from llamalog_service.kafka.publisher import MessageProducer, provenance_message
from llamalog_service.kafka.reader import TopicAbsentError
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_tools.devstack.apache_kafka import ApacheKafka


@pytest.fixture
async def publisher(settings: Settings) -> AsyncIterator[MessageProducer]:
    async with open_producer(settings) as producer:
        yield MessageProducer(producer)


def message_about(number: int, revision: int = 1) -> MessageToSend:
    root = Root(None, Origin.UNTRACKED)
    return provenance_message(StoredRow(content_of(event(number)), root, revision, NOON))


async def publish(settings: Settings, publisher: MessageProducer, *messages: MessageToSend) -> None:
    await publisher.send_batched(topics(settings.topic_prefix).provenance.name, messages)


async def test_a_follower_has_what_is_published_after_it_was_opened_and_nothing_before(
    settings: Settings, publisher: MessageProducer
) -> None:
    before, after, again = range(1, 20), range(20, 40), 40
    await publish(settings, publisher, *map(message_about, before))
    async with open_provenance_follower(settings) as follower:
        await publish(settings, publisher, *map(message_about, after))
        heard = [record async for record in _until(follower, count=len(after))]
        assert {(record.id.int, record.revision) for record in heard} == {(row, 1) for row in after}

        await publish(settings, publisher, message_about(again, 1), message_about(again, 2))
        heard = [record async for record in _until(follower, count=2)]
        assert [(record.id, record.revision) for record in heard] == [
            (UUID(int=again), revision) for revision in (1, 2)
        ]


@pytest.mark.apache_kafka
async def test_partitions_that_the_topic_gets_are_followed(
    settings: Settings, publisher: MessageProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "METADATA_MILLISECONDS", 500)
    topic = topics(settings.topic_prefix).provenance.name
    async with open_provenance_follower(settings) as follower:
        await publish(settings, publisher, *map(message_about, range(9)))
        assert {record.id.int async for record in _until(follower, count=9)} == set(range(9))
        before = len(follower.positions)
        async with open_admin(settings) as admin:
            await grow_topic(admin, topic, before + 3)
        async with open_producer(settings) as producer:
            await publish(settings, MessageProducer(producer), *map(message_about, range(9, 40)))
        assert {record.id.int async for record in _until(follower, count=31)} == set(range(9, 40))
        assert len(follower.positions) > before


async def test_what_is_no_provenance_record_is_passed_over(
    settings: Settings, publisher: MessageProducer
) -> None:
    async with open_provenance_follower(settings) as follower:
        await publish(
            settings,
            publisher,
            MessageToSend(b"tombstone", None, []),
            MessageToSend(b"stranger", b"{", []),
            message_about(1),
        )
        [record] = [record async for record in _until(follower, count=1)]
    assert record.id == UUID(int=1)


async def test_a_topic_that_does_not_stand_is_named(settings: Settings) -> None:
    misnamed = settings.model_copy(update={"topic_prefix": f"test-{uuid4().hex[:8]}."})
    with pytest.raises(TopicAbsentError, match=f"{misnamed.topic_prefix}provenance"):
        async with open_provenance_follower(misnamed):
            pass


@pytest.mark.apache_kafka
async def test_a_follower_reports_once_that_kafka_is_away_and_goes_on_where_it_was(
    breakable: Settings, breakable_kafka: ApacheKafka
) -> None:
    heard: list[ProvenanceBatch] = []

    async with open_provenance_follower(breakable) as follower:

        async def listen() -> None:
            async for batch in follower:
                heard.append(batch)
                if batch.rows:
                    return

        async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            await asyncio.to_thread(breakable_kafka.kill)
            while not heard:  # noqa: ASYNC110 -- the listener makes it so
                await asyncio.sleep(0.1)
            await asyncio.sleep(2)
            await asyncio.to_thread(breakable_kafka.start)
            async with open_producer(breakable) as producer:
                await publish(breakable, MessageProducer(producer), message_about(1))
    away, *back = heard
    assert away.unavailable is not None
    assert breakable.kafka in away.unavailable
    assert [batch.unavailable for batch in back] == [None] * len(back)
    assert [live.row.id for batch in back for live in batch.rows] == [UUID(int=1)]


async def _until(follower: ProvenanceFollower, count: int) -> AsyncIterator[Provenance]:
    async with asyncio.timeout(TIMEOUT):
        async for heard in follower:
            for live in heard.rows:
                yield live.row
                count -= 1
            if not count:
                return
