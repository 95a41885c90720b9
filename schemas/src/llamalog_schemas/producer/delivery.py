"""Delivery of messages from the caller to Kafka: immediate, or buffered in the background.

put ──▶ waiting ──▶ sent ──▶ delivered
▲          │
└─ retry ──┴──▶ lost: counted, and passed to a callback
"""

import asyncio
import inspect
import itertools
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from functools import partial
from threading import RLock
from time import monotonic
from typing import Any, Protocol

from llamalog_schemas.producer.buffer import Buffer, Entry, Limits
from llamalog_schemas.producer.forks import ForkedProcessError, watch_forks
from llamalog_schemas.producer.stats import DeliveryTracker, Loss, LossReason
from llamalog_schemas.producer.transports import ImmediateTransport, OutgoingMessage, Transport, may_recover

_logger = logging.getLogger("llamalog_schemas.producer")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SENT_WITHOUT_YIELDING = 100
_SHORTEST_TRY = 1.0
"""Seconds that an event gets to be sent and acknowledged, however short `Limits.keep_trying` is."""
_LOOK_AT_LOOP = 0.5
_GRACE = 1.0


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


class BufferedDelivery:
    """Delivers in the background of one event loop: the one in which it was made, or first used.

    Pending messages are bounded in number, in bytes and in age; a message is pending until Kafka has
    acknowledged it. Other threads put messages into the same buffer, whether that loop runs or not, and never
    wait for room. In a forked child, which has neither the loop nor the client, every message is lost.
    """

    def __init__(self, transport: Transport, limits: Limits, tracker: DeliveryTracker) -> None:
        self._transport = transport
        self._limits = limits
        self._tracker = tracker
        self._buffer = Buffer(limits)
        self._longest = max(limits.keep_trying, _SHORTEST_TRY)
        self._pause = 0.0
        self._work = asyncio.Event()
        self._progress = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._sending: Entry | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._loop = _running_loop()
        self._binding = RLock()  # a signal handler may publish, too
        self._owner = os.getpid()
        self._is_forked = False
        watch_forks(self)

    def after_fork(self) -> None:
        """Leave pending messages, the loop and the client to the parent."""
        self._buffer = Buffer(self._limits)
        self._binding = RLock()
        if self._loop is None:
            self._owner = os.getpid()
        else:
            self._is_forked = True

    async def put(self, message: OutgoingMessage) -> None:
        """Accept a message, waiting for room if `Limits.when_full` says so."""
        self._tracker.publish()
        entry = Entry(message)
        refusal = self._add(entry)
        if refusal is None:
            return
        may_wait = self._limits.when_full == "wait" and not self._is_forked and self._is_in_own_loop()
        if refusal is LossReason.DROPPED and may_wait:
            await self._wait_for_room(entry)
        else:
            self._report(entry, refusal)

    def put_nowait(self, message: OutgoingMessage) -> None:
        """Accept a message; it is lost if there is no room."""
        self._tracker.publish()
        entry = Entry(message)
        refusal = self._add(entry)
        if refusal is not None:
            self._report(entry, refusal)

    async def flush(self, timeout: float | None) -> None:
        """Wait until no message is pending, for at most `timeout` seconds; None: without limit."""
        await self._run_in_own_loop(self._flush(timeout), timeout)

    async def close(self, timeout: float | None) -> None:
        """Accept no more, wait as `flush` does, then count pending messages as lost."""
        self._buffer.close()
        try:
            await self._run_in_own_loop(self._close(timeout), timeout)
        finally:
            for entry in self._buffer.remove_all():
                self._report(entry, LossReason.CLOSED)
            self._notify_progress()

    def __del__(self) -> None:
        if len(self._buffer):
            _logger.error("%d events are lost to provenance: their logger was not closed", len(self._buffer))

    def _add(self, entry: Entry) -> LossReason | None:
        """Add a message to the buffer; return the reason if it is refused and not yet counted as lost."""
        refusal = self._buffer.add(entry)
        if refusal is None:
            try:
                self._call_in_own_loop(self._wake)
            except (RuntimeError, ForkedProcessError) as error:
                # no loop, or a closed one, and Kafka's client with it
                if self._buffer.remove(entry):
                    self._report(entry, LossReason.NOT_DELIVERED, error)
        return refusal

    def _is_in_own_loop(self) -> bool:
        """Whether this code runs in the delivery's own loop; the first loop becomes its own."""
        running = _running_loop()
        if self._loop is None:
            with self._binding:
                self._loop = self._loop or running
        return running is not None and running is self._loop

    def _call_in_own_loop(self, callback: Callable[[], object]) -> None:
        """Call a function in the delivery's own loop: now, or in its next iteration.

        Raises:
            RuntimeError: there is no loop, or it is closed.
            ForkedProcessError: it is the parent's.
        """
        if self._is_forked:
            raise ForkedProcessError(self._owner)
        if self._is_in_own_loop():
            callback()
        elif self._loop is None:
            raise RuntimeError("no event loop runs here, and the logger has seen none")
        else:
            self._loop.call_soon_threadsafe(callback)

    async def _run_in_own_loop(self, work: Coroutine[Any, Any, None], timeout: float | None) -> None:
        """Run a coroutine in the delivery's own loop for as long as that runs.

        Args:
            timeout: the coroutine's own; a loop that is blocked is given up a moment later.
        """
        loop = self._loop
        if not self._is_forked and self._is_in_own_loop():
            await work
            return
        if self._is_forked or loop is None or not loop.is_running():
            work.close()
            return
        try:
            ended = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
        except RuntimeError:  # closed since
            work.close()
            return
        deadline = None if timeout is None else monotonic() + timeout + _GRACE
        try:
            while not ended.done() and loop.is_running() and (deadline is None or monotonic() < deadline):
                await asyncio.wait([ended], timeout=_LOOK_AT_LOOP)
        finally:
            ended.cancel()
            if not loop.is_running() and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                work.close()

    async def _flush(self, timeout: float | None) -> None:
        with suppress(TimeoutError):  # the statistics show what is pending
            async with asyncio.timeout(timeout):
                while len(self._buffer):
                    self._wake()
                    await self._next_progress()

    async def _close(self, timeout: float | None) -> None:
        self._progress.set()
        try:
            await self._flush(timeout)
        finally:
            if self._expiry is not None:
                self._expiry.cancel()
            sender, self._sender = self._sender, None
            if sender is not None:
                sender.cancel()
                await asyncio.wait([sender], timeout=_FIRST_PAUSE)

    async def _wait_for_room(self, entry: Entry) -> None:
        self._buffer.block(entry)
        refusal: LossReason | None = LossReason.DROPPED
        try:
            with suppress(TimeoutError):  # without room by then, the message is lost
                async with asyncio.timeout(self._limits.timeout):
                    while refusal is LossReason.DROPPED:
                        await self._next_progress()
                        refusal = self._add(entry)
        except asyncio.CancelledError:
            refusal = self._add(entry)
            raise
        finally:
            if self._buffer.unblock(entry) and refusal is not None:
                self._report(entry, refusal)

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _wake(self) -> None:
        """Have the waiting messages sent, and the oldest one lost when its time is over."""
        self._work.set()
        if self._sender is None or self._sender.done():
            # In a context of its own: the current job is not that of later events.
            self._sender = asyncio.get_running_loop().create_task(
                self._send_all(), name="llamalog-sender", context=Context()
            )
        if self._expiry is None:
            self._schedule_expiry()

    async def _send_all(self) -> None:
        own = asyncio.current_task()
        for count in itertools.count():
            while not self._buffer.has_waiting:
                self._work.clear()
                await self._work.wait()
            if self._pause or count % _SENT_WITHOUT_YIELDING == 0:
                await asyncio.sleep(self._pause)  # a client with room in its buffers never yields to the loop
            entry = self._buffer.next_waiting()
            if entry is None:
                continue
            await self._send(entry)
            if self._sender is not own:
                return  # its send did not return in time, another one took its place

    async def _send(self, entry: Entry) -> None:
        self._sending = entry
        try:
            answer = await self._transport.send(entry.message)
            acknowledged = asyncio.ensure_future(answer)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and not is_being_cancelled():
                self._handle_error(entry, TimeoutError("the client cancelled the message"))
            elif isinstance(error, Exception):
                self._handle_error(entry, error)
            else:
                self._buffer.send_again(entry)
                raise
        else:
            if acknowledged is not answer:
                entry.task = acknowledged
            acknowledged.add_done_callback(partial(self._handle_acknowledgement, entry))
        finally:
            if self._sending is entry:
                self._sending = None

    def _handle_acknowledgement(self, entry: Entry, acknowledged: asyncio.Future[object]) -> None:
        if acknowledged.cancelled():
            error: BaseException | None = TimeoutError("the client dropped the message")
        else:
            error = acknowledged.exception()
        if error is not None:
            if not isinstance(error, Exception):
                error = TimeoutError(f"the client dropped the message: {error!r}")
            self._handle_error(entry, error)
        elif self._buffer.remove(entry):
            self._pause = 0.0
            self._tracker.deliver()
            self._progress.set()

    def _handle_error(self, entry: Entry, error: Exception) -> None:
        if entry not in self._buffer:
            return  # lost meanwhile
        if monotonic() - entry.since < self._limits.keep_trying and may_recover(self._transport, error):
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
            self._buffer.send_again(entry)
            self._work.set()
        elif self._buffer.remove(entry):
            self._report(entry, LossReason.NOT_DELIVERED, error)
            self._progress.set()

    def _schedule_expiry(self) -> None:
        oldest = self._buffer.oldest
        if oldest is not None:
            due = oldest.since + self._longest
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(max(0.0, due - monotonic()), self._expire, due)

    def _expire(self, due: float | None) -> None:
        """Count messages as lost whose time is over, also if the client never answers.

        Args:
            due: when this was to be called; None: a moment after it was called too late.
        """
        now = monotonic()
        if due is not None and now - due > _GRACE:  # the loop was blocked: messages could not be sent
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(_SHORTEST_TRY, self._expire, None)
            return
        self._expiry = None
        for entry in self._buffer.remove_older(now - self._longest):
            error = TimeoutError(f"Kafka has not acknowledged the event within {self._longest:g} seconds")
            self._report(entry, LossReason.NOT_DELIVERED, error)
            if entry is self._sending and self._sender is not None:
                self._sender.cancel()
                self._sender = None
        self._progress.set()
        if len(self._buffer):
            self._wake()

    def _report(self, entry: Entry, reason: LossReason, error: Exception | None = None) -> None:
        """Count a message that is not in the buffer as lost."""
        if entry.task is not None:
            with suppress(RuntimeError, ForkedProcessError):
                self._call_in_own_loop(entry.task.cancel)
        self._tracker.lose(Loss(reason, entry.message, entry.message.value, error))

    def _notify_progress(self) -> None:
        with suppress(RuntimeError, ForkedProcessError):
            self._call_in_own_loop(self._progress.set)


def delivery(transport: Transport | ImmediateTransport, limits: Limits, tracker: DeliveryTracker) -> Delivery:
    """The delivery for a transport."""
    if isinstance(transport, ImmediateTransport):
        return ImmediateDelivery(transport, tracker)
    return BufferedDelivery(transport, limits, tracker)


def is_being_cancelled() -> bool:
    """Whether the current task is cancelled, rather than something that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The running loop; None: there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
