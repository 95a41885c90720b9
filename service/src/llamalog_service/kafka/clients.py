"""Kafka's clients as the service uses them: opened from settings, bounded in bytes, errors translated."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    UnknownProducerId,
)

from llamalog_service.domain.errors import ExitCode, LlamalogError, UnavailableError
from llamalog_service.kafka.record_batches import read_within_bounds
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

ISOLATION: Final = "read_committed"
"""Of every reader: the messages of an aborted transaction are no events, and those of an open one not yet."""

_MEBIBYTE = 1024 * 1024
FETCH_MAX_BYTES: Final = 8 * _MEBIBYTE
PARTITION_FETCH_BYTES: Final = _MEBIBYTE // 2
"""As transferred, compressed or not: what a fetch response may hold, and what is kept of a partition that is
not read on. A larger record batch is returned nevertheless."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_BROKEN = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)


@contextmanager
def translate_kafka_errors(bootstrap: str) -> Iterator[None]:
    """Raise UnavailableError in place of the client's errors.

    Raises:
        UnavailableError: Kafka cannot be reached, or refuses for the moment.
    """
    try:
        yield
    except KafkaConnectionError as error:
        raise UnavailableError(
            f"Kafka can't be reached at {bootstrap}. Check that it runs, and the address in LLAMALOG_KAFKA."
        ) from error
    except (KafkaError, OSError) as error:
        raise UnavailableError(f"Kafka at {bootstrap}: {error!r}") from error


class OutgoingMessage(NamedTuple):
    """A message as Kafka carries it; aiokafka wants the headers as a list."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


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


def _translated(topic: str, error: KafkaError | OSError) -> LlamalogError:
    if isinstance(error, _TOO_LARGE):
        return MessageTooLargeError(topic, error)
    # The client raises the bare class for one thing: the task that sends has died.
    if isinstance(error, _BROKEN) or type(error) is KafkaError:
        return ProducerBrokenError(topic, error)
    return UnavailableError(f"Kafka, topic {topic}: {type(error).__name__}: {error}")


@asynccontextmanager
async def open_producer(
    settings: Settings, *, timeout: float | None = None, compression: str | None = None
) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose messages are acknowledged by all replicas; waits until Kafka is there.

    Args:
        compression: of batches, by its name in Kafka; None: they are sent as they are.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        compression_type=compression,
        enable_idempotence=settings.kafka_durable,
        linger_ms=2,
        max_batch_size=_MEBIBYTE // 2,
        max_request_size=32 * _MEBIBYTE,
    )

    async def start() -> None:
        with translate_kafka_errors(settings.kafka):
            await producer.start()

    try:
        await retry_until_available(start, doing="connecting to Kafka", timeout=timeout)
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; does not wait.

    Raises:
        UnavailableError: Kafka does not answer; also for what fails within the context.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    with translate_kafka_errors(settings.kafka):
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def open_reader(
    settings: Settings, group: str | None = None, *, skips: bool = True
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is to be assigned partitions and commits nothing by itself; does not wait.

    Args:
        group: whose offsets it is to know; it does not become a member.
        skips: goes on at the beginning where an offset is gone; else it raises OffsetOutOfRangeError.

    Raises:
        UnavailableError: Kafka does not answer; also for what fails within the context.
    """
    read_within_bounds()
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if skips else "none",
        fetch_max_wait_ms=50,
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        isolation_level=ISOLATION,
    )
    with translate_kafka_errors(settings.kafka):
        try:
            await reader.start()
            yield reader
        finally:
            await reader.stop()
