"""A producer takes its events back over HTTP, and is told why not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from histories import event
from llamalog_schemas.producer import RetractionError, retract

TRACK = event(2, "track", "album")


@asynccontextmanager
async def api(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers every request with these bytes; its address, and what it was sent."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        requests.append(head + await reader.readexactly(length))
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def test_the_row_of_the_event_and_the_reason_are_sent_with_the_token() -> None:
    async with api(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}") as (address, requests):
        await retract(address, "a-token-of-mine-01", TRACK, reason="wrong", revoke=True)
        await retract(address, "a-token-of-mine-01", UUID(int=7), reason="wrong")
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in requests), strict=True)
    assert [json.loads(body) for body in bodies] == [
        {"rowId": str(UUID(int=2)), "reason": "wrong", "revoke": True},
        {"rowId": str(UUID(int=7)), "reason": "wrong", "revoke": False},
    ]
    assert all(head.startswith(b"POST /retractions ") for head in heads)
    assert all(b"Authorization: Bearer a-token-of-mine-01" in head for head in heads)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "The row is of another producer."}', "The row is of another producer."),
        (b"<html>", "the API answers 403 Forbidden."),
        (b"[]", "the API answers 403 Forbidden."),
    ],
)
async def test_a_refusal_is_told_with_its_status_and_never_with_the_token(body: bytes, said: str) -> None:
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with api(head + body) as (address, _):
        with pytest.raises(RetractionError) as refused:
            await retract(address, "a-token-of-mine-01", TRACK, reason="wrong")
    assert (refused.value.status, said in str(refused.value)) == (403, True)
    assert "a-token-of-mine" not in str(refused.value)


async def test_a_server_that_does_not_answer_is_no_refusal() -> None:
    async with api(b"") as (address, _):
        with pytest.raises(RetractionError, match="Repeat it") as silent:
            await retract(address, "a-token-of-mine-01", TRACK, reason="wrong")
    with pytest.raises(RetractionError, match="did not answer") as gone:
        await retract(address, "a-token-of-mine-01", TRACK, reason="wrong")
    assert silent.value.status is gone.value.status is None


async def test_an_address_that_is_none_of_http_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with https"):
        await retract("file:///etc", "a-token-of-mine-01", TRACK, reason="wrong")
