"""Streams are counted: there are only so many, and each frees its place when it ends."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from sse_starlette import ServerSentEvent
from starlette.types import Message, Scope

from harness.waiting import TIMEOUT
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.streams import Events, Streams, event


async def three() -> AsyncGenerator[ServerSentEvent, None]:
    for number in range(3):
        yield event("number", number)


async def endless(ended: asyncio.Event) -> AsyncGenerator[ServerSentEvent, None]:
    try:
        yield event("first", {})
        await asyncio.Event().wait()
    finally:
        ended.set()


class Reader:
    """A client that reads one stream, until it goes."""

    def __init__(self, open_streams: Streams, events: Events, client: str = "ada") -> None:
        self.sent: list[Message] = []
        self._gone = asyncio.Event()
        self._began = asyncio.Event()
        scope: Scope = {"type": "http", "path": "/logs/stream", "method": "GET", "headers": []}
        response = open_streams.response(events, client)
        self.reading = asyncio.create_task(response(scope, self._receive, self._send))

    async def has_begun(self) -> None:
        """Wait for the first event."""
        await asyncio.wait_for(self._began.wait(), TIMEOUT)

    async def goes(self) -> None:
        """Disconnect."""
        self._gone.set()
        await asyncio.wait_for(self.reading, TIMEOUT)

    async def refused(self) -> ProblemError:
        """The problem that it is refused with."""
        with pytest.raises(ProblemError) as refused:
            await asyncio.wait_for(self.reading, TIMEOUT)
        assert self.sent == []
        return refused.value

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        if message.get("body"):
            self._began.set()


async def test_a_stream_takes_a_place_while_it_runs() -> None:
    open_streams = Streams(limit=1, per_client=5)
    reader = Reader(open_streams, endless(asyncio.Event()))
    await reader.has_begun()
    assert open_streams.open == 1
    refused = await Reader(open_streams, three(), "bob").refused()
    assert (refused.status, refused.headers) == (503, {"Retry-After": "10"})
    assert "1 streams are open" in refused.detail
    await reader.goes()
    assert open_streams.open == 0
    other = Reader(open_streams, three(), "bob")
    await asyncio.wait_for(other.reading, TIMEOUT)
    assert sum(b"event: number" in message.get("body", b"") for message in other.sent) == 3
    assert open_streams.open == 0


async def test_one_client_leaves_places_to_the_others() -> None:
    open_streams = Streams(limit=10, per_client=3)
    greedy = [Reader(open_streams, endless(asyncio.Event())) for _ in range(8)]
    for reader in greedy[:3]:
        await reader.has_begun()
    for reader in greedy[3:]:
        refused = await reader.refused()
        assert (refused.status, refused.type) == (429, "urn:llamalog:problem:too-many-streams")
        assert "3 streams of this client" in refused.detail
    other = Reader(open_streams, endless(asyncio.Event()), "bob")
    await other.has_begun()
    assert open_streams.open == 4
    await greedy[0].goes()
    again = Reader(open_streams, endless(asyncio.Event()))
    await again.has_begun()
    for reader in (*greedy[1:3], other, again):
        await reader.goes()
    assert open_streams.open == 0


async def test_as_many_as_come_at_once_take_no_more_places_than_there_are() -> None:
    open_streams = Streams(limit=5, per_client=5)
    readers = [Reader(open_streams, endless(asyncio.Event()), f"client-{number}") for number in range(50)]
    for reader in readers[:5]:
        await reader.has_begun()
    for reader in readers[5:]:
        assert (await reader.refused()).status == 503
    for reader in readers[:5]:
        await reader.goes()


async def test_closing_ends_what_would_never_end_by_itself_and_begins_nothing() -> None:
    open_streams, ended = Streams(limit=10, per_client=10), asyncio.Event()
    reader = Reader(open_streams, endless(ended))
    await reader.has_begun()
    open_streams.close()
    await asyncio.wait_for(reader.reading, 2)
    assert ended.is_set()
    assert open_streams.open == 0
    assert (await Reader(open_streams, three()).refused()).status == 503
