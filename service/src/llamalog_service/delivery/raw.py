"""FastStream's parser and decoder, replaced: one bad header must not fail the whole batch."""

from typing import Any

from aiokafka import ConsumerRecord
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage


async def raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """A parser that reads nothing."""
    return KafkaMessage(body=b"", raw_message=records, consumer=FAKE_CONSUMER)


async def raw_records(message: KafkaMessage) -> Any:
    """A decoder that hands the records over as they came."""
    return message.raw_message
