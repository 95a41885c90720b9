"""FastStream's subscriber as the delivery needs it: raw batches, and not a commit of its own."""

from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from llamalog_service.kafka.consumer.batches import BatchDelivery

_REBALANCE_MILLISECONDS = 40_000


def subscribe(
    broker: KafkaBroker,
    delivery: BatchDelivery,
    *,
    topic: str,
    group: str,
    session_seconds: float,
    max_records: int,
) -> None:
    """Have what a group reads of a topic delivered.

    Args:
        session_seconds: how long a consumer may be silent before Kafka hands its partitions on.
        max_records: the most that is fetched at once.
    """
    subscriber = broker.subscriber(
        topic,
        batch=True,
        group_id=group,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        max_records=max_records,
        fetch_max_wait_ms=100,
        session_timeout_ms=int(session_seconds * 1000),
        heartbeat_interval_ms=int(session_seconds * 250),
        rebalance_timeout_ms=_REBALANCE_MILLISECONDS,
        listener=delivery,
        parser=_raw_batch,
        decoder=_raw_records,
    )

    @subscriber
    async def deliver(records: tuple[ConsumerRecord, ...]) -> None:
        await delivery.deliver(records)

    fetch = subscriber.get_msg

    async def fetch_and_count(consumer: AIOKafkaConsumer) -> Any:
        records = await fetch(consumer)
        delivery.progress.polls += 1
        return records

    subscriber.get_msg = fetch_and_count  # type: ignore[method-assign]  # FastStream tells nobody of a poll
    delivery.attach(lambda: subscriber.consumer)


async def _raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """A parser that reads nothing: one bad header must not fail the whole batch."""
    return KafkaMessage(body=b"", raw_message=records, consumer=FAKE_CONSUMER)


async def _raw_records(message: KafkaMessage) -> Any:
    """A decoder that hands the records over as they came."""
    return message.raw_message
