"""Messages that Kafka deleted before they were read: noticed, logged and counted."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from llamalog_service.telemetry.metrics import Metrics

_ANSWER_SECONDS = 5.0
_REMEDY = (
    "The topic's retention or a person deleted them. If an archive holds them, `llamalog rebuild "
    "--from-file … --repair` records them; else `llamalog backfill start` and `llamalog provenance "
    "republish` complete what was recorded last. `llamalog topics check` shows whether the topic keeps "
    "its messages."
)

_log = structlog.get_logger("llamalog.delivery")


class LossWatch:
    """Knows the offset of each partition that is to come next, and reports what is gone before it.

    A gap alone proves nothing: markers of transactions and what was aborted leave some as well.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._next: dict[TopicPartition, int] = {}

    def expect(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note where partitions are read on from."""
        self._next.update(offsets)

    def forget(self) -> None:
        """Drop all that is expected: the partitions are others from now on."""
        self._next.clear()

    async def check(
        self, consumer: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    ) -> None:
        """Compare what was fetched with what was to come; without an answer of Kafka, again next time."""
        gaps = {
            partition: records[0].offset
            for partition, records in fetched.items()
            if records and self._next.get(partition, records[0].offset) < records[0].offset
        }
        beginnings = await _beginnings(consumer, list(gaps)) if gaps else {}
        for partition, beginning in beginnings.items():
            self.report(partition, self._next[partition], min(beginning, gaps.pop(partition)))
        for partition, records in fetched.items():
            if records and partition not in gaps:
                self._next[partition] = records[-1].offset + 1

    def report(self, partition: TopicPartition, expected: int, beginning: int) -> None:
        """Report the messages from the expected offset up to where the partition begins, if there are any."""
        if expected >= beginning:
            return
        self._metrics.lost(beginning - expected)
        _log.error(
            "messages lost unread",
            partition=f"{partition.topic}/{partition.partition}",
            offsets=[expected, beginning - 1],
            messages=beginning - expected,
            remedy=_REMEDY,
        )


async def _beginnings(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    except (KafkaError, TimeoutError):
        return {}
    return beginnings
