"""Delivery of messages from the caller to Kafka: immediate, or buffered in the background.

put ──▶ waiting ──▶ sent ──▶ delivered
▲          │
└─ retry ──┴──▶ lost: counted, and passed to a callback
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

from llamalog_schemas.producer.stats import DeliveryTracker, Loss, LossReason
from llamalog_schemas.producer.transports import ImmediateTransport, OutgoingMessage, Transport

_logger = logging.getLogger("llamalog_schemas.producer")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SENT_WITHOUT_YIELDING = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the buffer, and the treatment of an event for which there is no room.

    Attributes:
        events: the most events that may be pending.
        value_bytes: the most bytes that their values may have together.
        when_full: ``wait`` blocks the caller until there is room, ``drop`` loses the event.
        timeout: seconds that a caller waits for room, after which the event is lost.
        keep_trying: seconds for which an event is sent again while Kafka is unavailable.
    """

    events: int = 10_000
    value_bytes: int = 32 * 1024 * 1024
    when_full: Literal["wait", "drop"] = "wait"
    timeout: float = 30.0
    keep_trying: float = 300.0


class Delivery(Protocol):
    """Accepts messages and counts them; raises nothing but cancellation."""

    async def put(self, message: OutgoingMessage) -> None:
        """Accept a message, waiting for room if `Limits.when_full` says so."""

    def put_nowait(self, message: OutgoingMessage) -> None:
        """Accept a message; it is lost if there is no room."""

    async def flush(self, timeout: float | None) -> None:
        """Wait until no message is pending, for at most `timeout` seconds; None: without limit."""

    async def close(self, timeout: float | None) -> None:
        """Accept no more, wait as `flush` does, then count pending messages as lost."""


class ImmediateDelivery:
    """Delivers at once, over a transport that needs no buffer."""

    def __init__(self, transport: ImmediateTransport, tracker: DeliveryTracker) -> None:
        self._transport = transport
        self._tracker = tracker
        self._closed = False

    async def put(self, message: OutgoingMessage) -> None:
        """Deliver a message."""
        self.put_nowait(message)

    def put_nowait(self, message: OutgoingMessage) -> None:
        """Deliver a message."""
        self._tracker.publish()
        if self._closed:
            self._tracker.lose(Loss(LossReason.CLOSED, message, message.value))
            return
        try:
            self._transport.deliver(message)
        except Exception as error:
            self._tracker.lose(Loss(LossReason.NOT_DELIVERED, message, message.value, error))
        else:
            self._tracker.deliver()

    async def flush(self, timeout: float | None) -> None:
        """Return: no message is ever pending."""

    async def close(self, timeout: float | None) -> None:
        """Accept no more."""
        self._closed = True


class _Entry:
    __slots__ = ("message", "since", "size")

    def __init__(self, message: OutgoingMessage, since: float) -> None:
        self.message = message
        self.since = since
        self.size = len(message.value)


class BufferedDelivery:
    """Delivers in the background of one event loop: the one in which it was made, or first used.

    Pending messages are bounded in number and in bytes; a message is pending until Kafka has acknowledged it.
    Messages of other threads are passed to that loop; they never wait for room.
    """

    def __init__(self, transport: Transport, limits: Limits, tracker: DeliveryTracker) -> None:
        self._transport = transport
        self._limits = limits
        self._tracker = tracker
        self._waiting: deque[_Entry] = deque()
        self._pending: set[_Entry] = set()
        self._bytes = 0
        self._pause = 0.0
        self._closed = False
        self._work = asyncio.Event()
        self._progress = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._loop = _running_loop()

    async def put(self, message: OutgoingMessage) -> None:
        """Accept a message, waiting for room if `Limits.when_full` says so."""
        if self._is_in_own_loop() and not self._has_room(message) and self._limits.when_full == "wait":
            try:
                await self._wait_for_room(message)
            except asyncio.CancelledError:
                self.put_nowait(message)
                raise
        self.put_nowait(message)

    def put_nowait(self, message: OutgoingMessage) -> None:
        """Accept a message; it is lost if there is no room."""
        if self._is_in_own_loop():
            self._put(message)
            return
        try:
            if self._loop is None:
                raise RuntimeError("no event loop runs here, and the logger has seen none")
            self._loop.call_soon_threadsafe(self._put, message)
        except RuntimeError as error:  # or the loop is closed, and Kafka's client with it
            self._tracker.publish()
            self._tracker.lose(Loss(LossReason.NOT_DELIVERED, message, message.value, error))

    async def flush(self, timeout: float | None) -> None:
        """Wait until no message is pending, for at most `timeout` seconds; None: without limit."""
        await self._run_in_own_loop(self._flush(timeout))

    async def close(self, timeout: float | None) -> None:
        """Accept no more, wait as `flush` does, then count pending messages as lost."""
        self._closed = True
        await self._run_in_own_loop(self._close(timeout))
        for entry in list(self._pending):  # of a loop that is closed
            self._lose(entry, LossReason.CLOSED, None)

    def __del__(self) -> None:
        if self._pending:
            _logger.error("%d events are lost to provenance: their logger was not closed", len(self._pending))

    def _is_in_own_loop(self) -> bool:
        """Whether this code runs in the delivery's own loop; the first loop becomes its own."""
        running = _running_loop()
        if self._loop is None:
            self._loop = running
        return running is not None and running is self._loop

    def _put(self, message: OutgoingMessage) -> None:
        self._tracker.publish()
        if self._closed:
            self._tracker.lose(Loss(LossReason.CLOSED, message, message.value))
        elif self._has_room(message):
            self._accept(message)
        else:
            self._tracker.lose(Loss(LossReason.DROPPED, message, message.value))

    async def _run_in_own_loop(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the delivery's own loop; do nothing if that has ended."""
        if self._is_in_own_loop():
            await work
        elif self._loop is not None and self._loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        else:
            work.close()

    async def _flush(self, timeout: float | None) -> None:
        with suppress(TimeoutError):  # the statistics show what is pending
            async with asyncio.timeout(timeout):
                while self._pending:
                    await self._next_progress()

    async def _close(self, timeout: float | None) -> None:
        self._progress.set()
        try:
            await self._flush(timeout)
        finally:
            if self._sender is not None:
                self._sender.cancel()
                await asyncio.wait([self._sender], timeout=_FIRST_PAUSE)
            for entry in list(self._pending):
                self._lose(entry, LossReason.CLOSED, None)

    def _has_room(self, message: OutgoingMessage) -> bool:
        """Whether there is room; a message larger than the whole buffer is sent alone."""
        limits, pending = self._limits, len(self._pending)
        fits = self._bytes + len(message.value) <= limits.value_bytes or not pending
        return fits and pending < limits.events

    async def _wait_for_room(self, message: OutgoingMessage) -> None:
        with suppress(TimeoutError):  # without room by then, the message is lost
            async with asyncio.timeout(self._limits.timeout):
                while not self._has_room(message) and not self._closed:
                    await self._next_progress()

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _accept(self, message: OutgoingMessage) -> None:
        loop = asyncio.get_running_loop()
        entry = _Entry(message, loop.time())
        self._waiting.append(entry)
        self._pending.add(entry)
        self._bytes += entry.size
        self._work.set()
        if self._sender is None:
            # In a context of its own: the current job is not that of later events.
            self._sender = loop.create_task(self._send_all(), name="llamalog-sender", context=Context())

    async def _send_all(self) -> None:
        for count in itertools.count():
            while not self._waiting:
                self._work.clear()
                await self._work.wait()
            if self._pause or count % _SENT_WITHOUT_YIELDING == 0:
                await asyncio.sleep(self._pause)  # a client with room in its buffers never yields to the loop
            entry = self._waiting.popleft()
            try:
                acknowledged = asyncio.ensure_future(await self._transport.send(entry.message))
            except Exception as error:
                self._handle_error(entry, error)
            else:
                acknowledged.add_done_callback(partial(self._handle_acknowledgement, entry))

    def _handle_acknowledgement(self, entry: _Entry, acknowledged: asyncio.Future[object]) -> None:
        if acknowledged.cancelled():
            error: BaseException | None = TimeoutError("the client dropped the message")
        else:
            error = acknowledged.exception()
        if entry not in self._pending:
            return  # lost when closed
        if isinstance(error, Exception):
            self._handle_error(entry, error)
        else:
            self._pause = 0.0
            self._tracker.deliver()
            self._remove(entry)

    def _handle_error(self, entry: _Entry, error: Exception) -> None:
        age = asyncio.get_running_loop().time() - entry.since
        if age < self._limits.keep_trying and self._transport.is_retriable(error):
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
            self._waiting.append(entry)
            self._work.set()
        else:
            self._lose(entry, LossReason.NOT_DELIVERED, error)

    def _lose(self, entry: _Entry, reason: LossReason, error: Exception | None) -> None:
        self._remove(entry)
        self._tracker.lose(Loss(reason, entry.message, entry.message.value, error))

    def _remove(self, entry: _Entry) -> None:
        self._pending.discard(entry)
        self._bytes -= entry.size
        self._progress.set()


def delivery(transport: Transport | ImmediateTransport, limits: Limits, tracker: DeliveryTracker) -> Delivery:
    """The delivery for a transport."""
    if isinstance(transport, ImmediateTransport):
        return ImmediateDelivery(transport, tracker)
    return BufferedDelivery(transport, limits, tracker)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The running loop; None: there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
