"""What became of every event that was said: delivered, waiting, or lost and told so."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from llamalog_schemas.producer.transports import OutgoingMessage

_logger = logging.getLogger("llamalog_schemas.producer")


class LossReason(StrEnum):
    """Why an event is not known to have reached Kafka."""

    REFUSED = "refused"
    """It is invalid: the service would have put it into the dead letters."""

    DROPPED = "dropped"
    """The buffer was full."""

    NOT_DELIVERED = "not-delivered"
    """Kafka would not have it, or not in time."""

    CLOSED = "closed"
    """The logger was closed before Kafka acknowledged it, or before it was said."""


@dataclass(frozen=True, slots=True)
class Loss:
    """An event that is not known to have reached Kafka.

    Attributes:
        reason: why, as a code.
        message: as it would have been sent, for whoever keeps it aside; None where `said` is no valid event.
        said: the event, or the value of its message.
        error: what was wrong, where there is more to tell than the reason.
    """

    reason: LossReason
    message: OutgoingMessage | None
    said: object
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """How many events became what. It adds up: ``said == delivered + lost + pending``."""

    said: int = 0
    delivered: int = 0
    refused: int = 0
    dropped: int = 0
    not_delivered: int = 0
    closed: int = 0

    @property
    def lost(self) -> int:
        """Events that are not known to have reached Kafka; the callback was told each."""
        return self.refused + self.dropped + self.not_delivered + self.closed

    @property
    def pending(self) -> int:
        """Events that wait for Kafka."""
        return self.said - self.delivered - self.lost

    @property
    def everything_delivered(self) -> bool:
        """Whether Kafka has acknowledged all that was said."""
        return self.delivered == self.said


class Ledger:
    """Keeps the account; events may be said in several threads.

    Args:
        on_loss: is told every event that is given up, in the thread where that is found out; what it
            raises is logged.
    """

    def __init__(self, on_loss: Callable[[Loss], object] | None) -> None:
        self._lock = Lock()
        self._said = 0
        self._delivered = 0
        self._losses = dict.fromkeys(LossReason, 0)
        self._on_loss = on_loss

    @property
    def account(self) -> Account:
        """What became of everything so far."""
        with self._lock:
            losses = {reason.name.lower(): count for reason, count in self._losses.items()}
            return Account(said=self._said, delivered=self._delivered, **losses)

    def say(self) -> None:
        """Count an event that is said."""
        with self._lock:
            self._said += 1

    def deliver(self) -> None:
        """Count an event that Kafka has acknowledged."""
        with self._lock:
            self._delivered += 1

    def lose(self, loss: Loss) -> None:
        """Count an event that is given up, tell the callback; log the first, the tenth, and so on."""
        with self._lock:
            self._losses[loss.reason] += 1
            lost = sum(self._losses.values())
        if str(lost).rstrip("0") == "1":
            what = loss.error or loss.said
            _logger.error("an event is lost to provenance (%s, %d so far): %s", loss.reason, lost, what)
        if self._on_loss is not None:
            try:
                self._on_loss(loss)
            except Exception:
                _logger.exception("the callback for lost events failed")
