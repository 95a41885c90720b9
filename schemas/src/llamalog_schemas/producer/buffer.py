"""The buffer of pending messages: bounded, filled and emptied by any thread."""

import asyncio
from collections import deque
from dataclasses import dataclass
from threading import RLock
from time import monotonic
from typing import Literal

from llamalog_schemas.producer.stats import LossReason
from llamalog_schemas.producer.transports import OutgoingMessage


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the buffer, and the treatment of an event for which there is no room.

    Attributes:
        events: the most events that may be pending.
        value_bytes: the most bytes that their values may have together.
        when_full: ``wait`` blocks the caller until there is room, ``drop`` loses the event.
        timeout: seconds that a caller waits for room, after which the event is lost.
        keep_trying: seconds for which an event is sent again while Kafka is unavailable. An event that is not
            acknowledged by then, and a second has passed, is lost, even if the client has not answered.
    """

    events: int = 10_000
    value_bytes: int = 32 * 1024 * 1024
    when_full: Literal["wait", "drop"] = "wait"
    timeout: float = 30.0
    keep_trying: float = 300.0


class Entry:
    """A message on its way; `task` awaits its acknowledgement, where the client does not."""

    __slots__ = ("message", "since", "size", "task")

    def __init__(self, message: OutgoingMessage) -> None:
        self.message = message
        self.size = len(message.value)
        self.since = 0.0
        self.task: asyncio.Future[object] | None = None


class Buffer:
    """Pending messages, oldest first, and messages whose callers wait for room.

    A message belongs to the caller of the method that took it out: no two callers account for it.
    """

    def __init__(self, limits: Limits) -> None:
        self._max_events, self._max_bytes = limits.events, limits.value_bytes
        self._lock = RLock()  # a signal handler may publish, too
        self._pending: dict[Entry, None] = {}
        self._blocked: dict[Entry, None] = {}
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._pending

    @property
    def has_waiting(self) -> bool:
        """Whether there is a message to send."""
        return bool(self._waiting)

    @property
    def oldest(self) -> Entry | None:
        """The message that has been pending for longest."""
        with self._lock:
            return next(iter(self._pending), None)

    def add(self, entry: Entry) -> LossReason | None:
        """Add a message to those that are to be sent; if that is refused, return the reason."""
        with self._lock:
            if self._closed:
                return LossReason.CLOSED
            pending, size = self._pending, self._bytes + entry.size
            # A message larger than the whole buffer is sent alone.
            if len(pending) >= self._max_events or (size > self._max_bytes and pending):
                return LossReason.DROPPED
            entry.since = monotonic()  # so that the oldest come first
            pending[entry] = None
            self._bytes = size
            self._waiting.append(entry)
            return None

    def block(self, entry: Entry) -> None:
        """Note a message whose caller waits for room."""
        with self._lock:
            self._blocked[entry] = None

    def unblock(self, entry: Entry) -> bool:
        """Take out a message whose caller waits; False: it was taken out already."""
        with self._lock:
            if entry not in self._blocked:
                return False
            del self._blocked[entry]
            return True

    def next_waiting(self) -> Entry | None:
        """The next message to send; it stays pending."""
        with self._lock:
            while self._waiting:
                entry = self._waiting.popleft()
                if entry in self._pending:
                    return entry
            return None

    def send_again(self, entry: Entry) -> None:
        """Put a message that is pending behind those that are to be sent."""
        with self._lock:
            if entry in self._pending:
                self._waiting.append(entry)

    def remove(self, entry: Entry) -> bool:
        """Take out a message; False: it was taken out already."""
        with self._lock:
            if entry not in self._pending:
                return False
            del self._pending[entry]
            self._bytes -= entry.size
            return True

    def remove_older(self, moment: float) -> list[Entry]:
        """Take out the messages that were published before a moment."""
        with self._lock:
            old: list[Entry] = []
            for entry in self._pending:
                if entry.since >= moment:
                    break
                old.append(entry)
            return [entry for entry in old if self.remove(entry)]

    def close(self) -> None:
        """Accept no more messages."""
        with self._lock:
            self._closed = True

    def remove_all(self) -> list[Entry]:
        """Take out all messages, also those whose callers wait."""
        with self._lock:
            entries = list(self._pending | self._blocked)
            self._pending.clear()
            self._blocked.clear()
            self._waiting.clear()
            self._bytes = 0
            return entries
