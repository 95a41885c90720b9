"""What takes messages from the logger: at once, or in the background."""

from typing import Protocol

from llamalog_schemas.producer.account import Ledger, Loss, LossReason
from llamalog_schemas.producer.buffered import Buffered, Limits
from llamalog_schemas.producer.transports import ImmediateTransport, OutgoingMessage, Transport


class Delivery(Protocol):
    """Takes messages, and keeps the account of them; raises nothing but cancellation."""

    async def put(self, message: OutgoingMessage) -> None:
        """Take a message, waiting for room if that is the rule."""

    def put_now(self, message: OutgoingMessage) -> None:
        """Take a message; give it up if there is no room."""

    async def flush(self, within: float | None) -> None:
        """Wait until nothing waits for Kafka, at most so many seconds; None: without end."""

    async def close(self, within: float | None) -> None:
        """Take no more, wait as `flush` does, then give up what still waits."""


class Immediate:
    """Delivers at once, where nothing needs to be buffered."""

    def __init__(self, transport: ImmediateTransport, ledger: Ledger) -> None:
        self._transport = transport
        self._ledger = ledger
        self._closed = False

    async def put(self, message: OutgoingMessage) -> None:
        """Deliver a message."""
        self.put_now(message)

    def put_now(self, message: OutgoingMessage) -> None:
        """Deliver a message."""
        self._ledger.say()
        if self._closed:
            self._ledger.lose(Loss(LossReason.CLOSED, message, message.value))
            return
        try:
            self._transport.take(message)
        except Exception as error:
            self._ledger.lose(Loss(LossReason.NOT_DELIVERED, message, message.value, error))
        else:
            self._ledger.deliver()

    async def flush(self, within: float | None) -> None:
        """Nothing ever waits."""

    async def close(self, within: float | None) -> None:
        """Take no more."""
        self._closed = True


def delivery(transport: Transport | ImmediateTransport, limits: Limits, ledger: Ledger) -> Delivery:
    """The delivery that suits a transport."""
    if isinstance(transport, ImmediateTransport):
        return Immediate(transport, ledger)
    return Buffered(transport, limits, ledger)
