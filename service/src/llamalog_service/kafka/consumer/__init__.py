"""At-least-once delivery of batches from Kafka, in step and committed after their work.

FastStream polls and hands batches over raw; what it would do about acknowledgement is switched off
(`AckPolicy.MANUAL`), because a commit without explicit offsets would pass records that are not done.
Reading order: batches, alignment, pipeline, starts, subscription, header_names.
"""

from llamalog_service.kafka.consumer.batches import BatchDelivery
from llamalog_service.kafka.consumer.broker import RetryingBroker
from llamalog_service.kafka.consumer.header_names import read_any_header_name
from llamalog_service.kafka.consumer.pipeline import Steps
from llamalog_service.kafka.consumer.records import Records
from llamalog_service.kafka.consumer.start_positions import StartOffsets, StoredPositions
from llamalog_service.kafka.consumer.subscription import subscribe

__all__ = [
    "BatchDelivery",
    "Records",
    "RetryingBroker",
    "StartOffsets",
    "Steps",
    "StoredPositions",
    "read_any_header_name",
    "subscribe",
]
