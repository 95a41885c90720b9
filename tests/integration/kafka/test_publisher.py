"""What Kafka will never take is distinguished from what it will take later."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from harness.topics import read_all
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import MessageProducer, MessageTooLargeError, ProducerBrokenError
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

MESSAGE = MessageToSend(b"key", b"value", [])


@pytest.fixture
async def producer(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap,
        enable_idempotence=True,
        max_request_size=4_000_000,
        request_timeout_ms=2000,
    )
    async with producer:
        yield producer


@pytest.fixture
def topic(settings: Settings) -> str:
    """It has one partition."""
    return topics(settings.topic_prefix).dead_letters.name


async def test_a_gap_in_the_producers_numbers_is_no_matter_of_waiting(
    producer: AIOKafkaProducer, topic: str
) -> None:
    publisher = MessageProducer(producer)
    await publisher.send(topic, [MESSAGE])
    producer._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 5)
    for publish in (publisher.send, publisher.send_batched):
        with pytest.raises(ProducerBrokenError, match="OutOfOrderSequenceNumber"):
            await publish(topic, [MESSAGE])


async def test_the_death_of_the_task_that_sends_is_no_matter_of_waiting(
    producer: AIOKafkaProducer, topic: str
) -> None:
    publisher = MessageProducer(producer)
    await publisher.send(topic, [MESSAGE])
    producer._sender._message_accumulator.drain_by_nodes = None
    for publish in (publisher.send, publisher.send_batched):
        with pytest.raises(ProducerBrokenError):
            await publish(topic, [MESSAGE])


async def test_a_message_larger_than_its_topic_takes_is_named_as_such(
    producer: AIOKafkaProducer, topic: str
) -> None:
    with pytest.raises(MessageTooLargeError, match="llamalog topics check"):
        await MessageProducer(producer).send(topic, [MESSAGE._replace(value=bytes(3_000_000))])


async def test_a_topic_that_is_away_is_waited_for(producer: AIOKafkaProducer, topic: str) -> None:
    publisher = MessageProducer(producer)
    for publish in (publisher.send, publisher.send_batched):
        with pytest.raises(UnavailableError, match="of-others"):
            await publish(f"{topic}-of-others", [MESSAGE])


async def test_all_is_acknowledged_when_publishing_returns(
    producer: AIOKafkaProducer, topic: str, settings: Settings
) -> None:
    publisher = MessageProducer(producer)
    many = [MessageToSend(str(number).encode(), bytes(2000), []) for number in range(1000)]
    await publisher.send_batched(topic, many)
    await publisher.send(topic, many)
    assert len(await read_all(settings.kafka, topic)) == 2000
