"""Publish the messages of the service, each to its topic."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final
from uuid import UUID, uuid4
from zlib import crc32

import msgspec
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
from msgspec.structs import astuple, replace

from llamalog_schemas.backfills import (
    BACKFILL_SOURCE,
    BackfillEnded,
    BackfillEndedData,
    BackfillProgressed,
    BackfillProgressedData,
)
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.commands import (
    MAX_JOBS_PER_COMMAND,
    BackfillRoots,
    BackfillRootsData,
    RecomputeReason,
    RecomputeRoots,
    RecomputeRootsData,
    RunRequest,
    RunRequestData,
)
from llamalog_schemas.events import OverrideEvent, lineage_key
from llamalog_schemas.provenance import PROVENANCE_SOURCE, Provenance, ProvenanceRecorded
from llamalog_service import kernels
from llamalog_service.domain.errors import ExitCode, LlamalogError, UnavailableError
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.kafka.clients import FORBIDDEN, KafkaForbidsError, MessageToSend, open_producer
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.topics import MAX_MESSAGE_BYTES, Topics, topics_of
from llamalog_service.settings import Settings

MAX_RECORD_BYTES: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""Bytes of a record that every topic accepts: more than an event can bring, but a legacy row is unbounded."""

_ROW_ID_LENGTH: Final = 36
_RECORDS_A_TURN: Final = 250
"""Records made before others get their turn: the next batch is recorded meanwhile."""

_FIELDS = (*RowContent.__struct_fields__, *Root.__struct_fields__, *StoredRow.__struct_fields__[2:])
_CREATED_AT = _FIELDS.index("created_at")
_in_order_of_provenance = itemgetter(
    *(_FIELDS.index(name) for name in Provenance.__struct_fields__ if name != "omitted")
)
"""Thirty-nine values moved at once: naming each of them in a call takes ten times as long."""

_OPTIONAL = dict(
    zip(reversed(Provenance.__struct_fields__), reversed(Provenance.__struct_defaults__), strict=False)
)
_UNBOUNDED = ("metadata", "preview_data", "error_message", "reason", "sources", "fields_enriched", "user_id")
"""The fields that may be of any size."""

REPLAYED_HEADERS: Final = [*STRUCTURED_HEADERS, ("llamalog-replayed", b"true")]
"""Of records that an operator had republished."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_BROKEN = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)


Acknowledged = list[asyncio.Future[object]]


class MessageTooLargeError(LlamalogError):
    """Kafka refuses a message for its size: waiting does not help."""

    def __init__(self, topic: str, cause: BaseException) -> None:
        super().__init__(
            f"Kafka refuses a message to {topic} for its size: {cause}. The process ends and loses nothing. "
            "Look with `llamalog topics check` how large a message the topic has to take, and start again."
        )


class ProducerBrokenError(LlamalogError):
    """A producer that can send no more, even once Kafka is back: waiting does not help, a new one does."""

    exit_code = ExitCode.BROKEN

    def __init__(self, topic: str, cause: BaseException) -> None:
        super().__init__(
            f"The connection that messages to {topic} are sent over is broken for good "
            f"({type(cause).__name__}: {cause}). The process ends and loses nothing: what Kafka has not "
            "acknowledged is sent again after a restart. Start it again."
        )


class MessageProducer:
    """Sends messages over one producer, each as large as its topic allows."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, topic: str, messages: Sequence[MessageToSend]) -> None:
        """Send messages one by one; those of one key keep their order.

        Raises:
            MessageTooLargeError: one of them is too large. An idempotent producer is of no use after that.
            ProducerBrokenError: the producer can send no more.
            UnavailableError: not all were acknowledged in time; sending all again is safe.
        """
        try:
            async with all_settled() as acknowledged:
                for message in messages:
                    acknowledged.append(
                        await self._producer.send(topic, message.value, message.key, headers=message.headers)
                    )
        except (KafkaError, OSError) as error:
            raise _translated(topic, error) from error

    async def send_batched(self, topic: str, messages: Iterable[MessageToSend]) -> None:
        """Send many small keyed messages, a batch a partition: four times as fast as one by one.

        The partition is the CRC-32 of the key modulo their number; only writers that agree on this may
        write to the topic.

        Raises:
            LlamalogError: as for `send`.
        """
        try:
            partitions = sorted(await self._producer.partitions_for(topic))
            by_partition: dict[int, list[MessageToSend]] = {partition: [] for partition in partitions}
            for message in messages:
                by_partition[partitions[crc32(message.key or b"") % len(partitions)]].append(message)
            async with all_settled() as acknowledged:
                for partition, share in by_partition.items():
                    await send_batches(self._producer, topic, partition, share, acknowledged)
        except (KafkaError, OSError) as error:
            raise _translated(topic, error) from error


async def send_batches(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    messages: Iterable[MessageToSend],
    acknowledged: Acknowledged,
) -> None:
    """Send messages to one partition in as few batches as hold them; each adds its acknowledgement."""
    batch = producer.create_batch()
    for key, value, headers, timestamp in messages:
        if batch.append(key=key, value=value, headers=headers, timestamp=timestamp) is None:
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, headers=headers, timestamp=timestamp)
    if batch.record_count():
        acknowledged.append(await producer.send_batch(batch, topic, partition=partition))


@asynccontextmanager
async def all_settled() -> AsyncIterator[Acknowledged]:
    """Collects acknowledgements, and ends once each has come or been given up, with the first error.

    A message that is still on its way after an error would come after those that are sent once more, or by
    another process: what is compared with the table after an error has to be all that may come.
    """
    acknowledged: Acknowledged = []
    try:
        yield acknowledged
    finally:
        outcomes = await asyncio.gather(*acknowledged, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def _translated(topic: str, error: KafkaError | OSError) -> LlamalogError:
    if isinstance(error, FORBIDDEN):
        return KafkaForbidsError(error)
    if isinstance(error, _TOO_LARGE):
        return MessageTooLargeError(topic, error)
    # The client raises the bare class for one thing: the task that sends has died.
    if isinstance(error, _BROKEN) or type(error) is KafkaError:
        return ProducerBrokenError(topic, error)
    return UnavailableError(f"Kafka, topic {topic}: {type(error).__name__}: {error}")


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
        messages: list[MessageToSend] = []
        for row in rows:
            messages.append(provenance_message(row, replayed=replayed))
            if len(messages) % _RECORDS_A_TURN == 0:
                await asyncio.sleep(0)
        await self._producer.send_batched(self._topics.provenance.name, messages)

    async def publish_removals(self, rows: Iterable[UUID]) -> None:
        """Publish tombstones of rows that were deleted from the log."""
        tombstones = [MessageToSend(str(row).encode(), None, []) for row in rows]
        await self._producer.send_batched(self._topics.provenance.name, tombstones)

    async def publish_dead_letters(self, rejected: Sequence[RejectedRecord]) -> None:
        """Publish rejected messages byte for byte, with the reason and their coordinates."""
        if rejected:
            await self._producer.send(
                self._topics.dead_letters.name, [dead_letter_message(record) for record in rejected]
            )

    async def publish_override(self, override: OverrideEvent) -> None:
        """Publish an operator's override; once it is acknowledged it is part of the log."""
        await self.publish_overrides([override])

    async def publish_overrides(self, overrides: Iterable[OverrideEvent]) -> None:
        """Publish overrides, keyed by what they are about."""
        messages = [MessageToSend(lineage_key(one), encode(one), STRUCTURED_HEADERS) for one in overrides]
        await self._producer.send(self._topics.overrides.name, messages)

    async def request_recompute(self, jobs: Collection[str], reason: RecomputeReason) -> None:
        """Request the migration consumer to recompute the roots below these jobs."""
        if jobs:
            await self._command(_recompute_messages(self._source, sorted(jobs), reason))

    async def request_backfill(self, run: UUID, data: BackfillRootsData) -> None:
        """Request a backfill under the id that its run is to have."""
        command = BackfillRoots(
            id=str(run), source=self._source, time=datetime.now(UTC), specversion="1.0", data=data
        )
        await self._command([_keyed_by_run(run, command)])

    async def request_run_change(self, request: type[RunRequest], data: RunRequestData) -> None:
        """Request a run to be paused, resumed or cancelled."""
        command = request(
            id=str(uuid4()), source=self._source, time=datetime.now(UTC), specversion="1.0", data=data
        )
        await self._command([_keyed_by_run(data.run, command)])

    async def publish_backfill_progress(self, data: BackfillProgressedData) -> None:
        """Publish the progress of a backfill."""
        event = BackfillProgressed(
            id=str(uuid4()), source=BACKFILL_SOURCE, time=datetime.now(UTC), specversion="1.0", data=data
        )
        await self._producer.send(self._topics.backfill_events.name, [_keyed_by_run(data.run, event)])

    async def publish_backfill_end(self, data: BackfillEndedData) -> None:
        """Publish the end of a backfill; published again, the event bears the same id."""
        event = BackfillEnded(
            id=f"{data.run}/ended",
            source=BACKFILL_SOURCE,
            time=datetime.now(UTC),
            specversion="1.0",
            data=data,
        )
        await self._producer.send(self._topics.backfill_events.name, [_keyed_by_run(data.run, event)])

    async def _command(self, messages: Sequence[MessageToSend]) -> None:
        await self._producer.send(self._topics.backfill_commands.name, messages)


OpenPublisher = Callable[[], AbstractAsyncContextManager[EventPublisher]]
"""Opens the publisher of one installation and source."""


@asynccontextmanager
async def open_publisher(
    settings: Settings, source: str, *, timeout: float | None = None
) -> AsyncIterator[EventPublisher]:
    """A publisher over a producer of its own; waits until Kafka is there.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    async with open_producer(settings, timeout=timeout) as producer:
        yield EventPublisher(MessageProducer(producer), topics_of(settings), source)


def provenance_message(stored: StoredRow, *, replayed: bool = False) -> MessageToSend:
    """The record of a row as it is in the table, keyed by the row's id: compaction keeps its latest.

    Values that no reader could decode, or that would make it too large for the topic, are omitted and named.
    """
    encoded = kernels.compiled.provenance(stored) if kernels.compiled is not None else None
    key, value = encoded or encode_provenance(stored)
    if len(value) > MAX_RECORD_BYTES:
        value = encode(_shorten(provenance_record(stored), len(value)))
    return MessageToSend(key, value, REPLAYED_HEADERS if replayed else STRUCTURED_HEADERS)


def encode_provenance(stored: StoredRow) -> tuple[bytes, bytes]:
    """Key and value of the record of a row, with all its values that a reader could decode."""
    record = provenance_record(stored)
    return record.id[:_ROW_ID_LENGTH].encode(), encode(record)


def provenance_record(stored: StoredRow) -> ProvenanceRecorded:
    """The provenance record of a row as it is in the table."""
    row_id = msgspec.json.encode(stored.content.id)[1:-1].decode()  # as str(…) does, four times as fast
    naive = stored.content.created_at
    created_at = datetime.combine(naive, naive.time(), UTC)  # as replace(tzinfo=UTC) does, five times as fast
    content, root, *others = astuple(stored)
    values = [*astuple(content), *astuple(root), *others]
    values[_CREATED_AT] = created_at
    data = Provenance(*_in_order_of_provenance(values))
    if isinstance(data.metadata, msgspec.Raw):
        data = _without(data, "metadata")
    if isinstance(data.preview_data, msgspec.Raw):
        data = _without(data, "preview_data")
    return ProvenanceRecorded(
        id=f"{row_id}/{stored.revision}",
        source=PROVENANCE_SOURCE,
        time=created_at,
        specversion="1.0",
        data=data,
    )


def _shorten(record: ProvenanceRecorded, size: int) -> ProvenanceRecorded:
    """The record without its largest fields, as few of them as suffice."""
    data = record.data
    sizes = {name: len(msgspec.json.encode(getattr(data, name))) for name in _UNBOUNDED}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if size > MAX_RECORD_BYTES:
            data = _without(data, name)
            size -= sizes[name]
    return replace(record, data=data)


def _without(data: Provenance, field: str) -> Provenance:
    name = msgspec.structs.fields(Provenance)[Provenance.__struct_fields__.index(field)].encode_name
    return replace(data, **{field: _OPTIONAL[field]}, omitted=(*data.omitted, name))


def _recompute_messages(source: str, jobs: Sequence[str], reason: RecomputeReason) -> list[MessageToSend]:
    """Commands to recompute the roots below these jobs, as many as their limit of jobs requires."""
    messages = []
    for start in range(0, len(jobs), MAX_JOBS_PER_COMMAND):
        command = RecomputeRoots(
            id=str(uuid4()),
            source=source,
            time=datetime.now(UTC),
            specversion="1.0",
            data=RecomputeRootsData(jobs=tuple(jobs[start : start + MAX_JOBS_PER_COMMAND]), reason=reason),
        )
        messages.append(MessageToSend(command.data.jobs[0].encode(), encode(command), STRUCTURED_HEADERS))
    return messages


def _keyed_by_run(
    run: UUID, message: BackfillRoots | RunRequest | BackfillProgressed | BackfillEnded
) -> MessageToSend:
    """Keyed by the run: messages about one run keep their order."""
    return MessageToSend(str(run).encode(), encode(message), STRUCTURED_HEADERS)
