"""Transports of events: a Kafka client of the caller's, a console, or memory."""

import json
import logging
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, Protocol, TextIO

import msgspec

from llamalog_schemas.codec import STRUCTURED_HEADERS, decode_event
from llamalog_schemas.errors import LlamalogSchemasError
from llamalog_schemas.events import EntityEvent, is_legacy_row, is_override
from llamalog_schemas.producer.forks import ForkedProcessError, watch_forks

_logger = logging.getLogger("llamalog_schemas.producer")

DEFAULT_TOPIC = "llamalog.entity-events"


class NoAcknowledgementError(LlamalogSchemasError):
    """The client returns no acknowledgement for a message; the sentence says what to do."""


class OutgoingMessage(NamedTuple):
    """A message as Kafka carries it."""

    topic: str
    key: bytes
    value: bytes


class Transport(Protocol):
    """Sends messages to Kafka by a client that the caller starts and stops."""

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        """Send a message; the returned awaitable ends when Kafka has acknowledged it, or raises."""

    def is_retriable(self, error: Exception) -> bool:
        """Whether sending again later may succeed."""


def may_recover(transport: Transport, error: Exception) -> bool:
    """Whether sending again later may succeed; False where the transport itself fails to say so."""
    try:
        return transport.is_retriable(error)
    except Exception:
        _logger.exception(
            "the transport failed to say whether an error is temporary; its event is not sent again"
        )
        return False


class ImmediateTransport(ABC):
    """A transport that delivers in the call itself: it needs no buffer."""

    @abstractmethod
    def deliver(self, message: OutgoingMessage) -> None:
        """Deliver a message."""


class InMemoryTransport(ImmediateTransport):
    """Keeps messages in memory, for tests.

    Attributes:
        messages: in the order in which they were published.
    """

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []

    def deliver(self, message: OutgoingMessage) -> None:
        """Keep a message."""
        self.messages.append(message)

    @property
    def events(self) -> list[EntityEvent]:
        """The published events, as the service decodes them."""
        events = [decode_event(message.value) for message in self.messages]
        return [event for event in events if not is_override(event) and not is_legacy_row(event)]

    def clear(self) -> None:
        """Forget all messages."""
        self.messages.clear()


class ConsoleTransport(ImmediateTransport):
    """Writes a line of JSON an event, for development without Kafka.

    Args:
        stream: where to write; None: standard output, as it is at that moment.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def deliver(self, message: OutgoingMessage) -> None:
        """Write a message's value."""
        event = msgspec.json.decode(message.value)
        print(json.dumps(event, ensure_ascii=False), file=self._stream or sys.stdout)


class AiokafkaProducer(Protocol):
    """The used part of an `aiokafka.AIOKafkaProducer`."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes | None]] | None = None,
    ) -> Awaitable[object]:
        """Put a message into a batch; the returned future ends when Kafka has acknowledged it."""


class AiokafkaTransport:
    """Over a started `aiokafka.AIOKafkaProducer`, which should have ``acks="all"``.

    Raises:
        ValueError: it has ``acks=0``, so that Kafka acknowledges nothing; or it is transactional, so that
            what Kafka has acknowledged may be aborted.
    """

    def __init__(self, producer: AiokafkaProducer) -> None:
        transactions = getattr(producer, "_txn_manager", None)
        _check_acknowledgements(
            getattr(getattr(producer, "_sender", None), "_acks", None),
            getattr(transactions, "transactional_id", None),
        )
        self._producer = producer
        self._owner = os.getpid()

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        """Send a message.

        Raises:
            ForkedProcessError: the connection is that of the parent of this process.
        """
        if os.getpid() != self._owner:
            raise ForkedProcessError(self._owner)
        return await self._producer.send(
            message.topic, message.value, message.key, headers=STRUCTURED_HEADERS
        )

    def is_retriable(self, error: Exception) -> bool:
        """Whether sending again later may succeed."""
        return _kafka_may_recover(error)


class FastStreamBroker(Protocol):
    """The used part of a `faststream.kafka.KafkaBroker`."""

    async def publish(
        self,
        message: Any,
        topic: str = "",
        *,
        key: bytes | Any | None = None,
        headers: dict[str, str] | None = None,
        no_confirm: bool = False,
    ) -> Any:
        """Send a message; with `no_confirm`, the returned future ends when Kafka has acknowledged it."""


class FastStreamTransport:
    """Over a `faststream.kafka.KafkaBroker`, through its middlewares; it should have ``acks="all"``.

    Under FastStream's `TestKafkaBroker` an event is delivered when the topic's subscribers have returned.

    Raises:
        ValueError: it has ``acks=0``, so that Kafka acknowledges nothing; or it is transactional, so that
            what Kafka has acknowledged may be aborted.
    """

    def __init__(self, broker: FastStreamBroker) -> None:
        options = getattr(broker, "_connection_kwargs", {})
        _check_acknowledgements(options.get("acks"), options.get("transactional_id"))
        self._broker = broker
        self._owner = os.getpid()
        self._is_forked = False
        watch_forks(self)

    def after_fork(self) -> None:
        """Leave the connection, if there is one, to the parent."""
        if not self._is_forked and not _producer_of(self._broker):
            self._owner = os.getpid()
        else:
            self._is_forked = True

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        """Send a message."""
        if self._is_forked:
            raise ForkedProcessError(self._owner)
        acknowledged: Awaitable[object] | None = await self._broker.publish(
            message.value, message.topic, key=message.key, headers=dict(_TEXT_HEADERS), no_confirm=True
        )
        if acknowledged is not None:
            return acknowledged
        if _is_for_tests(_producer_of(self._broker)):
            return _delivered()
        raise NoAcknowledgementError(
            "publishing returned no acknowledgement: a middleware of the broker has to return "
            "`await call_next(cmd)` from its `publish_scope`"
        )

    def is_retriable(self, error: Exception) -> bool:
        """Whether sending again later may succeed."""
        return _kafka_may_recover(error)


def _check_acknowledgements(acks: object, transactional_id: object) -> None:
    if acks == 0:
        raise ValueError(
            "the client has acks=0: Kafka acknowledges nothing, and no event is known to be delivered; "
            'give it acks="all"'
        )
    if isinstance(transactional_id, str):
        raise ValueError(
            f"the client has transactional_id={transactional_id!r}: events are sent in the background, "
            "outside of its transactions or in any of them, and are lost with one that is aborted; give the "
            "logger a client of its own"
        )


def _producer_of(broker: FastStreamBroker) -> Any:
    """The producer that a FastStream broker uses at present; it is false until it is connected."""
    config = getattr(broker, "config", None)
    return getattr(getattr(config, "broker_config", None), "producer", None)


def _is_for_tests(producer: object) -> bool:
    """Whether it is that of `TestKafkaBroker`, which returns nothing when it has published."""
    testing = sys.modules.get("faststream.kafka.testing")
    return testing is not None and isinstance(producer, testing.FakeProducer)


async def _delivered() -> None:
    """An acknowledgement that is there already."""


_TEXT_HEADERS = {name: content.decode() for name, content in STRUCTURED_HEADERS if content is not None}


def _kafka_may_recover(error: Exception) -> bool:
    # Imported here: users of another client need not install this one.
    from aiokafka.errors import KafkaError, KafkaTimeoutError

    if isinstance(error, KafkaTimeoutError):  # a batch that waited too long, or a client without room
        return True
    return bool(error.retriable) if isinstance(error, KafkaError) else isinstance(error, OSError)
