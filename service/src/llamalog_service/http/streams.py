"""Server-sent events: a bounded number of streams, each closed with its client or with this process."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

import msgspec
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.http.backfill_service import BackfillService
from llamalog_service.http.problems import ProblemError
from llamalog_service.live_feed.feed import FeedItem, FeedState, Gap, LiveFeed
from llamalog_service.live_feed.following import matches
from llamalog_service.queries.backfills import BackfillRun
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.rows import provenance_row

_log = structlog.get_logger("llamalog.http")

Events = AsyncGenerator[ServerSentEvent, None]
Place = Callable[[], AbstractContextManager[None]]

_HEARTBEAT_SECONDS: Final = 15
_SEND_TIMEOUT_SECONDS: Final = 20.0
_RUN_POLL_SECONDS: Final = 0.5


class Streams:
    """The open streams of this process.

    Args:
        limit: how many there are at most.
        per_client: how many of them one client may have.
    """

    def __init__(self, *, limit: int, per_client: int) -> None:
        self._limit = limit
        self._per_client = per_client
        self._closing = asyncio.Event()
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """The number of open streams."""
        return self._open.total()

    def close(self) -> None:
        """Close all streams, and accept no more."""
        self._closing.set()

    def response(self, events: Events, client: str) -> EventSourceResponse:
        """A response that sends these events until they end; a problem if too many streams are open.

        Args:
            client: the one that streams are counted of.
        """
        return _StreamResponse(self._until_closed(events), partial(self._place, client))

    @contextmanager
    def _place(self, client: str) -> Iterator[None]:
        """Count a stream as open.

        Raises:
            ProblemError: 429 or 503, too many are.
        """
        if self._open[client] >= self._per_client:
            raise _too_many(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._open[client]} streams of this client are open, {self._per_client} at most.",
            )
        if self.open >= self._limit or self._closing.is_set():
            raise _too_many(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self.open} streams are open; there are {self._limit} at most.",
            )
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            self._open += Counter()  # forgets clients without any

    async def _until_closed(self, events: Events) -> AsyncIterator[ServerSentEvent]:
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            async with aclosing(events):
                while True:
                    coming = asyncio.ensure_future(anext(events))
                    try:
                        await asyncio.wait({coming, closing}, return_when=asyncio.FIRST_COMPLETED)
                        if not coming.done():
                            return
                        yield coming.result()
                    except StopAsyncIteration:
                        return
                    finally:
                        coming.cancel()
                        with suppress(asyncio.CancelledError, Exception):
                            await coming
        finally:
            closing.cancel()


def _too_many(status: HTTPStatus, detail: str) -> ProblemError:
    return ProblemError(
        status, f"{detail} Ask again in a while.", kind="too-many-streams", headers={"Retry-After": "10"}
    )


class _StreamResponse(EventSourceResponse):
    def __init__(self, events: AsyncIterator[ServerSentEvent], place: Place) -> None:
        super().__init__(events, ping=_HEARTBEAT_SECONDS, send_timeout=_SEND_TIMEOUT_SECONDS, sep="\n")
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events; a client that takes none for too long is disconnected.

        Raises:
            ProblemError: too many streams are open.
        """
        try:
            with self._place():
                await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("slow client cut off", path=scope["path"], seconds=_SEND_TIMEOUT_SECONDS)


def event(kind: str, data: object, event_id: str | None = None) -> ServerSentEvent:
    """An event with JSON data."""
    return ServerSentEvent(msgspec.json.encode(data).decode(), event=kind, id=event_id)


async def log_events(feed: LiveFeed, log_filter: LogFilter, last_event_id: str | None) -> Events:
    """The live feed's rows that a filter matches, its gaps and its states."""
    async with aclosing(feed.follow(last_event_id)) as following:
        async for item in following:
            match item:
                case FeedItem():
                    row = provenance_row(item.row)
                    if matches(log_filter, row):
                        yield event("row", row, feed.cursor_of(item))
                case Gap():
                    yield event("gap", {"missed": item.missed})
                case FeedState():
                    yield event(item.value, {})


async def backfill_events(backfills: BackfillService, run: UUID) -> Events:
    """The changes of a run until it has ended, from its row, polled twice a second.

    A run's progress is committed in the transaction that makes it, so its row is never ahead of it; and the
    stream needs no Kafka.
    """
    sent: BackfillRun | None = None
    is_waiting = False
    while True:
        try:
            current = await backfills.read(run)
        except UnavailableError:
            current = None
        if current is None:
            if not is_waiting:
                yield event("waiting", {})
            is_waiting = True
        elif current.has_ended:
            yield event("ended", current)
            return
        elif current != sent or is_waiting:
            sent, is_waiting = current, False
            yield event("progress", current)
        await asyncio.sleep(_RUN_POLL_SECONDS)
