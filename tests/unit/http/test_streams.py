"""Streams are counted: there are only so many, and each frees its place when it ends."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from sse_starlette import ServerSentEvent

from harness.waiting import TIMEOUT
from llamalog_service.http import streams
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.streams import Streams, event


async def three() -> AsyncGenerator[ServerSentEvent, None]:
    for number in range(3):
        yield event("number", number)


async def endless(ended: asyncio.Event) -> AsyncGenerator[ServerSentEvent, None]:
    try:
        yield event("first", {})
        await asyncio.Event().wait()
    finally:
        ended.set()


async def rest_of(body: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in body]


async def test_a_stream_takes_a_place_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS", 1)
    open_streams = Streams()
    body = aiter(open_streams.response(three()).body_iterator)
    await anext(body)
    assert open_streams.open == 1
    with pytest.raises(ProblemError, match="1 streams are open") as refused:
        open_streams.response(three())
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "10"})
    assert len(await rest_of(body)) == 2
    assert open_streams.open == 0
    open_streams.response(three())


async def test_closing_ends_what_would_never_end_by_itself_and_begins_nothing() -> None:
    open_streams, ended = Streams(), asyncio.Event()
    body = aiter(open_streams.response(endless(ended)).body_iterator)
    await anext(body)
    coming = asyncio.create_task(rest_of(body))
    await asyncio.sleep(0)
    open_streams.close()
    assert await asyncio.wait_for(coming, TIMEOUT) == []
    assert ended.is_set()
    assert open_streams.open == 0
    with pytest.raises(ProblemError):
        open_streams.response(three())
