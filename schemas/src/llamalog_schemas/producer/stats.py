"""Delivery statistics of a logger: events delivered, pending, and lost."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import RLock

from llamalog_schemas.producer.forks import watch_forks
from llamalog_schemas.producer.transports import OutgoingMessage

_logger = logging.getLogger("llamalog_schemas.producer")


class LossReason(StrEnum):
    """Reasons for which an event is not known to have reached Kafka."""

    REFUSED = "refused"
    """It is invalid: the service would have moved it to the dead letters."""

    DROPPED = "dropped"
    """The buffer was full."""

    NOT_DELIVERED = "not-delivered"
    """Kafka refused it, or did not acknowledge it in time."""

    CLOSED = "closed"
    """The logger was closed before Kafka acknowledged it, or before it was published."""


@dataclass(frozen=True, slots=True)
class Loss:
    """An event that is not known to have reached Kafka.

    Attributes:
        reason: why, as a code.
        message: as it would have been sent, so that the caller can store it; None if `event` is invalid.
        event: the event, or the value of its message.
        error: the cause, if there is one beside the reason.
    """

    reason: LossReason
    message: OutgoingMessage | None
    event: object
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class DeliveryStats:
    """Counts of events. They add up: ``published == delivered + lost + pending``."""

    published: int = 0
    delivered: int = 0
    refused: int = 0
    dropped: int = 0
    not_delivered: int = 0
    closed: int = 0

    @property
    def lost(self) -> int:
        """Events that are not known to have reached Kafka; each was passed to the callback."""
        return self.refused + self.dropped + self.not_delivered + self.closed

    @property
    def pending(self) -> int:
        """Events that wait for Kafka."""
        return self.published - self.delivered - self.lost

    @property
    def everything_delivered(self) -> bool:
        """Whether Kafka has acknowledged every published event."""
        return self.delivered == self.published


class DeliveryTracker:
    """Counts events, published in any thread. A forked child begins with none.

    Args:
        on_loss: called with every lost event, in the thread that detects the loss; an exception of it is
            logged.
    """

    def __init__(self, on_loss: Callable[[Loss], object] | None) -> None:
        self._on_loss = on_loss
        self._begin()
        watch_forks(self)

    def after_fork(self) -> None:
        """Leave the parent's counts to the parent."""
        self._begin()

    def _begin(self) -> None:
        self._lock = RLock()  # a signal handler may publish, too
        self._published = 0
        self._delivered = 0
        self._losses = dict.fromkeys(LossReason, 0)

    @property
    def stats(self) -> DeliveryStats:
        """The counts so far."""
        with self._lock:
            losses = {reason.name.lower(): count for reason, count in self._losses.items()}
            return DeliveryStats(published=self._published, delivered=self._delivered, **losses)

    def publish(self) -> None:
        """Count a published event."""
        with self._lock:
            self._published += 1

    def deliver(self) -> None:
        """Count an acknowledged event."""
        with self._lock:
            self._delivered += 1

    def refuse(self, event: object, error: Exception) -> None:
        """Count an invalid event as published and lost."""
        self.publish()
        self.lose(Loss(LossReason.REFUSED, None, event, error))

    def lose(self, loss: Loss) -> None:
        """Count a lost event and pass it to the callback; log the first, the tenth, the hundredth, ..."""
        with self._lock:
            self._losses[loss.reason] += 1
            lost = sum(self._losses.values())
        if str(lost).rstrip("0") == "1":
            cause = loss.error or loss.event
            _logger.error("an event is lost to provenance (%s, %d so far): %s", loss.reason, lost, cause)
        if self._on_loss is not None:
            try:
                self._on_loss(loss)
            except Exception:
                _logger.exception("the callback for lost events failed")
