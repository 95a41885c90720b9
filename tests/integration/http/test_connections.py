"""A server on a real socket, and clients that keep it waiting: each is ended, and the others are answered."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn import Server

from harness.waiting import TIMEOUT, eventually
from llamalog_service.http_connections import MAX_HEAD_BYTES, BoundedConfig, ConnectionLimits

_SHORT: Final = 0.4
_LONG: Final = 60.0
_PATIENCE: Final = TIMEOUT
_LIMITS: Final = ConnectionLimits(connections=20, request_seconds=_LONG, idle_seconds=_LONG)
_GET: Final = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
_LARGE: Final = 8 * 1024 * 1024


class Served(NamedTuple):
    """A server under test.

    Attributes:
        release: lets `/slow` answer.
    """

    port: int
    server: Server
    release: asyncio.Event

    @property
    def connections(self) -> int:
        """How many it holds."""
        return len(self.server.server_state.connections)

    async def are_closed(self) -> None:
        async def none_is_open() -> bool:
            return not self.connections

        await eventually(none_is_open, within=_PATIENCE)


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[Served]:
    release = asyncio.Event()

    async def read(request: Request) -> Response:
        with suppress(ClientDisconnect):
            return PlainTextResponse(str(len(await request.body())))
        return PlainTextResponse("gone")

    async def ignore(_: Request) -> Response:
        return PlainTextResponse("not read")

    async def slow(_: Request) -> Response:
        await release.wait()
        return PlainTextResponse("slow")

    async def large(_: Request) -> Response:
        return Response(b"x" * _LARGE)

    routes = [
        Route("/", read, methods=["GET", "POST"]),
        Route("/ignore", ignore, methods=["POST"]),
        Route("/slow", slow),
        Route("/large", large),
    ]
    server = Server(BoundedConfig(Starlette(routes=routes), limits, log_level="error"))
    listener = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve(sockets=[listener]))

    async def has_started() -> bool:
        return server.started

    await eventually(has_started)
    try:
        yield Served(listener.getsockname()[1], server, release)
    finally:
        release.set()
        server.should_exit = server.force_exit = True
        await running


class Client:
    """A connection that sends bytes as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def opened(cls, served: Served, sent: bytes = b"", buffer: int | None = None) -> "Client":
        raw = socket.socket()
        if buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", served.port))
        client = cls(*await asyncio.open_connection(sock=raw, limit=buffer or 2**16))
        await client.send(sent)
        return client

    async def send(self, sent: bytes) -> None:
        self._writer.write(sent)
        await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next response."""
        async with asyncio.timeout(_PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(
                int(line.partition(":")[2])
                for line in head.splitlines()
                if line.startswith("content-length:")
            )
            return int(head.split()[1]), await self._reader.readexactly(length)

    async def rest(self) -> bytes:
        """All until the server closes."""
        async with asyncio.timeout(_PATIENCE):
            try:
                return await self._reader.read(-1)
            except ConnectionError:
                return b""

    async def drips(self, byte: bytes) -> None:
        """Send a byte again and again until the server has closed."""
        try:
            while not self._reader.at_eof():
                await self.send(byte)
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass

    def close(self) -> None:
        self._writer.transport.abort()


def problem_in(answer: bytes, status: int) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"application/problem+json" in head.lower()
    document = json.loads(body)
    assert document["status"] == status
    return str(document["detail"])


async def test_a_silent_connection_ends() -> None:
    async with serving(_LIMITS._replace(request_seconds=_SHORT)) as served:
        client = await Client.opened(served)
        assert await client.rest() == b""
        await served.are_closed()


@pytest.mark.parametrize(
    ("begun", "dripped", "part"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"a", "head"),
        (b"", b"G", "head"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", b"b", "body"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "body"),
    ],
    ids=["half a head", "a request line without an end", "half a body", "chunks without an end"],
)
async def test_a_request_that_comes_byte_by_byte_is_refused_at_its_deadline(
    begun: bytes, dripped: bytes, part: str
) -> None:
    async with serving(_LIMITS._replace(request_seconds=_SHORT)) as served:
        client = await Client.opened(served, begun)
        dripping = asyncio.create_task(client.drips(dripped))
        assert f"The {part} of a request" in problem_in(await client.rest(), 408)
        await asyncio.wait_for(dripping, _PATIENCE)
        await served.are_closed()
        assert not served.server.server_state.tasks


async def test_a_body_that_no_app_reads_ends_as_well() -> None:
    async with serving(_LIMITS._replace(request_seconds=_SHORT, idle_seconds=_LONG)) as served:
        client = await Client.opened(
            served, b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
        )
        assert await client.answer() == (200, b"not read")
        await client.drips(b"b")
        await served.are_closed()


async def test_a_second_request_on_a_connection_has_the_same_deadline() -> None:
    async with serving(_LIMITS._replace(request_seconds=_SHORT)) as served:
        client = await Client.opened(served, _GET)
        assert await client.answer() == (200, b"0")
        await client.send(b"GET / HT")
        assert "The head of a request" in problem_in(await client.rest(), 408)


async def test_an_idle_connection_ends_without_a_word() -> None:
    async with serving(_LIMITS._replace(idle_seconds=_SHORT)) as served:
        client = await Client.opened(served, _GET)
        assert await client.answer() == (200, b"0")
        assert await client.rest() == b""
        await served.are_closed()


async def test_a_request_in_progress_has_no_deadline() -> None:
    async with serving(_LIMITS._replace(request_seconds=_SHORT, idle_seconds=_SHORT)) as served:
        client = await Client.opened(served, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(4 * _SHORT)
        served.release.set()
        assert await client.answer() == (200, b"slow")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(_LIMITS) as served:
        posted = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        client = await Client.opened(served, (_GET + posted) * 200)
        for _ in range(200):
            assert [await client.answer(), await client.answer()] == [(200, b"0"), (200, b"3")]


Opened = Callable[[Served], Awaitable[Client]]
WAITING: Final[dict[str, bytes]] = {
    "silent": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    "idle": _GET,
}


@pytest.mark.parametrize("kind", WAITING)
async def test_a_crowd_that_keeps_the_server_waiting_locks_no_client_out(kind: str) -> None:
    async with serving(_LIMITS) as served:
        crowd = [await Client.opened(served, WAITING[kind]) for _ in range(3 * _LIMITS.connections)]
        for _ in range(5):
            other = await Client.opened(served, _GET)
            assert await other.answer() == (200, b"0")
        assert served.connections <= _LIMITS.connections
        for client in crowd:
            client.close()


async def test_a_connection_gives_way_to_another_only_while_it_waits() -> None:
    async with serving(_LIMITS) as served:
        busy = [
            await Client.opened(served, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            for _ in range(_LIMITS.connections)
        ]
        await _eventually_hold(served, _LIMITS.connections)
        refused = [await Client.opened(served, _GET) for _ in range(10)]
        assert "All connections are taken" in problem_in(await refused[-1].rest(), 503)
        assert served.connections <= _LIMITS.connections + 1
        served.release.set()
        assert [await client.answer() for client in busy] == [(200, b"slow")] * len(busy)
        assert await (await Client.opened(served, _GET)).answer() == (200, b"0")


async def _eventually_hold(served: Served, number: int) -> None:
    async def holds() -> bool:
        return len(served.server.server_state.tasks) == number

    await eventually(holds, within=_PATIENCE)


async def test_a_client_that_takes_no_response_is_cut_off() -> None:
    async with serving(_LIMITS._replace(response_seconds=_SHORT)) as served:
        client = await Client.opened(served, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", buffer=4096)
        await served.are_closed()
        assert len(await client.rest()) < _LARGE


async def test_a_client_that_takes_its_response_slowly_gets_all_of_it() -> None:
    async with serving(_LIMITS) as served:
        client = await Client.opened(served, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", buffer=4096)
        await asyncio.sleep(1)
        status, body = await client.answer()
        assert (status, len(body)) == (200, _LARGE)


async def test_what_is_written_and_not_taken_is_bounded_over_all_connections() -> None:
    async with serving(_LIMITS._replace(unsent_bytes=3 * _LARGE)) as served:
        readers = [
            await Client.opened(served, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", buffer=4096)
            for _ in range(10)
        ]

        async def is_bounded() -> bool:
            state = served.server.server_state
            unsent = sum(one.transport.get_write_buffer_size() for one in state.connections)
            return state.total_requests == len(readers) > served.connections and unsent <= 3 * _LARGE

        await eventually(is_bounded, within=_PATIENCE)
        status, body = await readers[-1].answer()
        assert (status, len(body)) == (200, _LARGE), "the latest is served"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: one\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (MAX_HEAD_BYTES + 100), 431),
        (b"GET /?" + b"q" * (MAX_HEAD_BYTES + 100), 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
    ids=["nonsense", "no number", "a long header", "a long request line", "no chunk"],
)
async def test_what_is_no_request_is_refused_as_a_problem(sent: bytes, status: int) -> None:
    async with serving(_LIMITS) as served:
        began = time.monotonic()
        client = await Client.opened(served, sent)
        problem_in(await client.rest(), status)
        assert time.monotonic() - began < _PATIENCE
        await served.are_closed()
