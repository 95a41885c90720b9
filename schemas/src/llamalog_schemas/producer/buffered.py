"""From the caller's hands to Kafka's acknowledgement.

put ──▶ waiting ──▶ sent ──▶ delivered
▲          │
└─ again ──┴──▶ given up: counted, and handed to a callback
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
from typing import Any, Literal

from llamalog_schemas.producer.account import Ledger, Loss, LossReason
from llamalog_schemas.producer.transports import OutgoingMessage, Transport

_logger = logging.getLogger("llamalog_schemas.producer")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SENT_AT_A_STRETCH = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, how long, and what happens to an event for which there is no room.

    Attributes:
        events: the most that may wait for Kafka.
        value_bytes: the most that their values may have together.
        when_full: ``wait`` holds the caller back until there is room, ``drop`` gives the event up.
        timeout: seconds after which a caller who waits goes on, and the event is given up.
        keep_trying: seconds for which an event is sent again while Kafka is away.
    """

    events: int = 10_000
    value_bytes: int = 32 * 1024 * 1024
    when_full: Literal["wait", "drop"] = "wait"
    timeout: float = 30.0
    keep_trying: float = 300.0


class _Entry:
    __slots__ = ("message", "since", "size")

    def __init__(self, message: OutgoingMessage, since: float) -> None:
        self.message = message
        self.since = since
        self.size = len(message.value)


class Buffered:
    """Delivers in the background of one event loop: that in which it was made, or first used.

    What waits is bounded by its number and by its bytes; a message counts until Kafka has acknowledged it.
    Another thread's messages are handed to that loop; they never wait for room.
    """

    def __init__(self, transport: Transport, limits: Limits, ledger: Ledger) -> None:
        self._transport = transport
        self._limits = limits
        self._ledger = ledger
        self._waiting: deque[_Entry] = deque()
        self._pending: set[_Entry] = set()
        self._bytes = 0
        self._pause = 0.0
        self._closed = False
        self._work = asyncio.Event()
        self._settled = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._loop = _running_loop()

    async def put(self, message: OutgoingMessage) -> None:
        """Take a message, waiting for room if that is the rule."""
        if self._is_at_home() and not self._has_room(message) and self._limits.when_full == "wait":
            try:
                await self._wait_for_room(message)
            except asyncio.CancelledError:
                self.put_now(message)
                raise
        self.put_now(message)

    def put_now(self, message: OutgoingMessage) -> None:
        """Take a message; give it up if there is no room."""
        if self._is_at_home():
            self._put_here(message)
            return
        try:
            if self._loop is None:
                raise RuntimeError("no event loop runs here, and the logger has seen none")
            self._loop.call_soon_threadsafe(self._put_here, message)
        except RuntimeError as error:  # or the loop is closed, and Kafka's client with it
            self._ledger.say()
            self._ledger.lose(Loss(LossReason.NOT_DELIVERED, message, message.value, error))

    async def flush(self, within: float | None) -> None:
        """Wait until nothing waits for Kafka, at most so many seconds; None: without end."""
        await self._do_at_home(self._flush(within))

    async def close(self, within: float | None) -> None:
        """Take no more, wait as `flush` does, then give up what still waits."""
        self._closed = True
        await self._do_at_home(self._close(within))
        for entry in list(self._pending):  # of a loop that is closed
            self._give_up(entry, LossReason.CLOSED, None)

    def __del__(self) -> None:
        if self._pending:
            _logger.error("%d events are lost to provenance: nobody closed their logger", len(self._pending))

    def _is_at_home(self) -> bool:
        """Whether this code runs in the delivery's own loop; the first one becomes its own."""
        running = _running_loop()
        if self._loop is None:
            self._loop = running
        return running is not None and running is self._loop

    def _put_here(self, message: OutgoingMessage) -> None:
        self._ledger.say()
        if self._closed:
            self._ledger.lose(Loss(LossReason.CLOSED, message, message.value))
        elif self._has_room(message):
            self._accept(message)
        else:
            self._ledger.lose(Loss(LossReason.DROPPED, message, message.value))

    async def _do_at_home(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what only the delivery's own loop can do; nothing, if that has ended."""
        if self._is_at_home():
            await work
        elif self._loop is not None and self._loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        else:
            work.close()

    async def _flush(self, within: float | None) -> None:
        with suppress(TimeoutError):  # the account says what still waits
            async with asyncio.timeout(within):
                while self._pending:
                    await self._next_settled()

    async def _close(self, within: float | None) -> None:
        self._settled.set()
        try:
            await self._flush(within)
        finally:
            if self._sender is not None:
                self._sender.cancel()
                await asyncio.wait([self._sender], timeout=_FIRST_PAUSE)
            for entry in list(self._pending):
                self._give_up(entry, LossReason.CLOSED, None)

    def _has_room(self, message: OutgoingMessage) -> bool:
        """Whether it may wait too; one that is larger than all that may wait is sent alone."""
        limits, pending = self._limits, len(self._pending)
        fits = self._bytes + len(message.value) <= limits.value_bytes or not pending
        return fits and pending < limits.events

    async def _wait_for_room(self, message: OutgoingMessage) -> None:
        with suppress(TimeoutError):  # what finds no room then is given up
            async with asyncio.timeout(self._limits.timeout):
                while not self._has_room(message) and not self._closed:
                    await self._next_settled()

    async def _next_settled(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    def _accept(self, message: OutgoingMessage) -> None:
        loop = asyncio.get_running_loop()
        entry = _Entry(message, loop.time())
        self._waiting.append(entry)
        self._pending.add(entry)
        self._bytes += entry.size
        self._work.set()
        if self._sender is None:
            # In a context of its own: the job at work here is not that of all events to come.
            self._sender = loop.create_task(self._send_all(), name="llamalog-sender", context=Context())

    async def _send_all(self) -> None:
        for count in itertools.count():
            while not self._waiting:
                self._work.clear()
                await self._work.wait()
            if self._pause or count % _SENT_AT_A_STRETCH == 0:
                await asyncio.sleep(self._pause)  # a client with room in its buffers lets nobody else run
            entry = self._waiting.popleft()
            try:
                acknowledged = asyncio.ensure_future(await self._transport.send(entry.message))
            except Exception as error:
                self._failed(entry, error)
            else:
                acknowledged.add_done_callback(partial(self._ended, entry))

    def _ended(self, entry: _Entry, acknowledged: asyncio.Future[object]) -> None:
        if acknowledged.cancelled():
            error: BaseException | None = TimeoutError("the client gave the message up")
        else:
            error = acknowledged.exception()
        if entry not in self._pending:
            return  # given up when closed
        if isinstance(error, Exception):
            self._failed(entry, error)
        else:
            self._pause = 0.0
            self._ledger.deliver()
            self._settle(entry)

    def _failed(self, entry: _Entry, error: Exception) -> None:
        age = asyncio.get_running_loop().time() - entry.since
        if age < self._limits.keep_trying and self._transport.passes(error):
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
            self._waiting.append(entry)
            self._work.set()
        else:
            self._give_up(entry, LossReason.NOT_DELIVERED, error)

    def _give_up(self, entry: _Entry, reason: LossReason, error: Exception | None) -> None:
        self._settle(entry)
        self._ledger.lose(Loss(reason, entry.message, entry.message.value, error))

    def _settle(self, entry: _Entry) -> None:
        self._pending.discard(entry)
        self._bytes -= entry.size
        self._settled.set()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs this code; None: none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
