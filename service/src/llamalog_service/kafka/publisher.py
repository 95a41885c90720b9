"""Publish messages to Kafka: every call returns once all are acknowledged, or raises."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    UnknownProducerId,
)

from llamalog_schemas.backfills import BackfillEndedData, BackfillProgressedData
from llamalog_schemas.commands import BackfillRootsData, RecomputeReason, RunRequest, RunRequestData
from llamalog_schemas.events import RootOverrideEvent
from llamalog_service.domain.errors import LlamalogError, UnavailableError
from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.errors import MessageTooLargeError, ProducerBrokenError
from llamalog_service.kafka.messages import (
    OutgoingMessage,
    backfill_end_message,
    backfill_message,
    backfill_progress_message,
    override_message,
    provenance_message,
    recompute_messages,
    removal_message,
    run_request_message,
)
from llamalog_service.kafka.topics import Topics

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_BROKEN = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)


class MessageProducer:
    """Sends messages over one producer, each as large as its topic allows."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, topic: str, messages: Sequence[OutgoingMessage]) -> None:
        """Send messages one by one; those of one key keep their order.

        Raises:
            MessageTooLargeError: one of them is too large. An idempotent producer is of no use after that.
            ProducerBrokenError: the producer can send no more.
            UnavailableError: not all were acknowledged in time; sending all again is safe.
        """
        try:
            acknowledged = [
                await self._producer.send(topic, message.value, message.key, headers=message.headers)
                for message in messages
            ]
            await asyncio.gather(*acknowledged)
        except (KafkaError, OSError) as error:
            raise _translated(topic, error) from error

    async def send_batched(self, topic: str, messages: Iterable[OutgoingMessage]) -> None:
        """Send many small keyed messages, a batch a partition: four times as fast as one by one.

        The partition is the CRC-32 of the key modulo their number; only writers that agree on this may
        write to the topic.

        Raises:
            LlamalogError: as for `send`.
        """
        try:
            partitions = sorted(await self._producer.partitions_for(topic))
            by_partition: dict[int, list[OutgoingMessage]] = {partition: [] for partition in partitions}
            for message in messages:
                by_partition[partitions[crc32(message.key or b"") % len(partitions)]].append(message)
            acknowledged: list[asyncio.Future[object]] = []
            for partition, share in by_partition.items():
                acknowledged.extend(await self._send_batches(topic, partition, share))
            await asyncio.gather(*acknowledged)
        except (KafkaError, OSError) as error:
            raise _translated(topic, error) from error

    async def _send_batches(
        self, topic: str, partition: int, messages: Sequence[OutgoingMessage]
    ) -> list[asyncio.Future[object]]:
        acknowledged = []
        batch = self._producer.create_batch()
        for key, value, headers in messages:
            if batch.append(key=key, value=value, headers=headers, timestamp=None) is None:
                acknowledged.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, headers=headers, timestamp=None)
        if batch.record_count():
            acknowledged.append(await self._producer.send_batch(batch, topic, partition=partition))
        return acknowledged


class EventPublisher:
    """Publishes the service's messages, each to its topic.

    Every method raises UnavailableError if Kafka does not acknowledge; calling it again is safe.

    Args:
        source: the CloudEvents source of commands.
    """

    def __init__(self, producer: MessageProducer, topics: Topics, source: str) -> None:
        self._producer = producer
        self._topics = topics
        self._source = source

    async def publish_provenance(self, rows: Iterable[StoredRow], *, replayed: bool = False) -> None:
        """Publish rows as they are in the table.

        Args:
            replayed: mark the records as republished on request.
        """
        await self._producer.send_batched(
            self._topics.provenance.name, [provenance_message(row, replayed=replayed) for row in rows]
        )

    async def publish_removals(self, rows: Iterable[UUID]) -> None:
        """Publish tombstones of rows that were deleted from the log."""
        await self._producer.send_batched(
            self._topics.provenance.name, [removal_message(row) for row in rows]
        )

    async def publish_dead_letters(self, rejected: Sequence[RejectedRecord]) -> None:
        """Publish rejected messages byte for byte, with the reason and their coordinates."""
        if rejected:
            await self._producer.send(
                self._topics.dead_letters.name, [dead_letter_message(record) for record in rejected]
            )

    async def publish_override(self, override: RootOverrideEvent) -> None:
        """Publish an operator's override; once it is acknowledged it is part of the log."""
        await self._producer.send(self._topics.entity_events.name, [override_message(override)])

    async def request_recompute(self, jobs: Collection[str], reason: RecomputeReason) -> None:
        """Request the migration consumer to recompute the roots below these jobs."""
        if jobs:
            await self._command(recompute_messages(self._source, jobs, reason))

    async def request_backfill(self, run: UUID, data: BackfillRootsData) -> None:
        """Request a backfill under the id that its run is to have."""
        await self._command([backfill_message(self._source, run, data)])

    async def request_run_change(self, request: type[RunRequest], data: RunRequestData) -> None:
        """Request a run to be paused, resumed or cancelled."""
        await self._command([run_request_message(self._source, request, data)])

    async def publish_backfill_progress(self, data: BackfillProgressedData) -> None:
        """Publish the progress of a backfill."""
        await self._producer.send(self._topics.backfill_events.name, [backfill_progress_message(data)])

    async def publish_backfill_end(self, data: BackfillEndedData) -> None:
        """Publish the end of a backfill."""
        await self._producer.send(self._topics.backfill_events.name, [backfill_end_message(data)])

    async def _command(self, messages: Sequence[OutgoingMessage]) -> None:
        await self._producer.send(self._topics.backfill_commands.name, messages)


def _translated(topic: str, error: KafkaError | OSError) -> LlamalogError:
    if isinstance(error, _TOO_LARGE):
        return MessageTooLargeError(topic, error)
    # The client raises the bare class for one thing: the task that sends has died.
    if isinstance(error, _BROKEN) or type(error) is KafkaError:
        return ProducerBrokenError(topic, error)
    return UnavailableError(f"Kafka, topic {topic}: {type(error).__name__}: {error}")
