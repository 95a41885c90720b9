"""Server-sent events: few enough streams at a time, each ended when its client, or this process, goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from llamalog_service.http.problems import ProblemError

_log = structlog.get_logger("llamalog.http")

MAX_STREAMS: Final = 100
_HEARTBEAT_SECONDS: Final = 15
_SLOWEST_SECONDS: Final = 20.0
"""A client that takes nothing for so long is cut off."""


class Streams:
    """The streams under way."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self.open = 0

    def close(self) -> None:
        """End all streams, and begin none."""
        self._closing.set()

    def answer(self, events: AsyncGenerator[ServerSentEvent, None]) -> EventSourceResponse:
        """A stream of events, until they end.

        Raises:
            ProblemError: 503, there are too many already.
        """
        if self.open >= MAX_STREAMS or self._closing.is_set():
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self.open} streams are open; there are {MAX_STREAMS} at most. Ask again in a while.",
                kind="too-many-streams",
                headers={"Retry-After": "10"},
            )
        return _Stream(
            self._until_closed(events), ping=_HEARTBEAT_SECONDS, send_timeout=_SLOWEST_SECONDS, sep="\n"
        )

    async def _until_closed(
        self, events: AsyncGenerator[ServerSentEvent, None]
    ) -> AsyncIterator[ServerSentEvent]:
        closing = asyncio.ensure_future(self._closing.wait())
        self.open += 1
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
            self.open -= 1
            closing.cancel()


class _Stream(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, until the client has gone, or has not taken anything for a while."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("slow client cut off", path=scope["path"], seconds=_SLOWEST_SECONDS)


def event(kind: str, data: object, place: str | None = None) -> ServerSentEvent:
    """An event with JSON in it."""
    return ServerSentEvent(msgspec.json.encode(data).decode(), event=kind, id=place)
