"""What the producer does with messages that no topic takes, and when it can send no more."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import OutOfOrderSequenceNumber

from harness.topics import header, read_all
from harness.writers import Message
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.clients import MessageToSend, open_producer
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.publisher import MessageProducer, ProducerBrokenError
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    async with open_producer(settings) as producer:
        yield producer


@pytest.mark.parametrize("part", ["key", "value", "headers"])
async def test_a_dead_letter_too_large_for_its_topic_is_cut_and_says_so(
    settings: Settings, producer: AIOKafkaProducer, part: str
) -> None:
    large = b"x" * 5_000_000
    bad = Message(
        large if part == "value" else b"{",
        key=large if part == "key" else b"key",
        headers=[("theirs", large if part == "headers" else b"small")],
    )
    topic = topics(settings.topic_prefix).dead_letters.name
    rejected = RejectedRecord(bad, DeadLetter("not-json", "no JSON"))
    await MessageProducer(producer).send(topic, [dead_letter_message(rejected)])
    [dead_letter] = await read_all(settings.kafka, topic)
    assert header(dead_letter, "reason") == "not-json"
    assert "bytes" in header(dead_letter, "truncated")


async def test_a_producer_that_can_send_no_more_is_not_waited_for(
    settings: Settings, producer: AIOKafkaProducer
) -> None:
    topic = topics(settings.topic_prefix).provenance.name
    publisher = MessageProducer(producer)

    async def broken(*_: object) -> None:
        raise OutOfOrderSequenceNumber

    producer._sender._maybe_wait_for_pid = broken
    with pytest.raises(ProducerBrokenError):
        for _ in range(2):
            await publisher.send_batched(topic, [MessageToSend(b"key", b"value", [])])
