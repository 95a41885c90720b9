"""Wires between the service and a server: cut, also in a COMMIT, frozen, slowed, led elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_COMMIT = b"COMMIT;\x00"
"""As asyncpg sends it: a simple query of its own."""


class Cut(Enum):
    """When a connection breaks that carries COMMIT: the client cannot distinguish these."""

    BEFORE_COMMIT = "the server never received it"
    AFTER_COMMIT = "the server did it, its answer is lost"


@dataclass(eq=False)
class _Link:
    """A connection of a client, and the one to the server that belongs to it.

    Attributes:
        bytes_left: after so many bytes both break; None: they last.
    """

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    bytes_left: int | None
    answer_is_lost: asyncio.Event = field(default_factory=asyncio.Event)

    def abort(self) -> None:
        for end in (self.client, self.server):
            end.transport.abort()


class Wire:
    """Hands bytes on between clients and one server.

    Attributes:
        cuts: taken from its end, one for each COMMIT that comes to PostgreSQL, until it is empty.
        delay: seconds that everything which is handed on takes.
        lifetime: of a new connection, in bytes; None: they last.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server_address = host, port
        self._links: set[_Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.cuts: list[Cut] = []
        self.delay = 0.0
        self.lifetime: Callable[[], int] | None = None
        self.port = 0

    def lead_to(self, host: str, port: int) -> None:
        """Connect clients with another server from now on; those of the earlier one are cut off."""
        self._server_address = host, port
        self.sever()

    def sever(self) -> int:
        """Break every connection that stands, from both sides; how many there were."""
        links = list(self._links)
        for link in links:
            link.abort()
        return len(links)

    def freeze(self) -> None:
        """Hand nothing on any more: connections stay open without an answer."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Hand on what was kept back, and what comes."""
        self._flowing.set()

    async def serve(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """One connection, until one of its sides ends it."""
        try:
            server_reader, server = await asyncio.open_connection(*self._server_address)
        except OSError:
            client.transport.abort()
            return
        link = _Link(client, server, self.lifetime() if self.lifetime is not None else None)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._requests(client_reader, link)),
            asyncio.create_task(self._answers(server_reader, link)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            link.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while sent := await reader.read(_CHUNK):
            if not await self._passes(sent, link):
                return
            if self.cuts and _COMMIT in sent:
                if self.cuts.pop() is Cut.BEFORE_COMMIT:
                    return
                link.answer_is_lost.set()
            link.server.write(sent)
            await link.server.drain()

    async def _answers(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while answer := await reader.read(_CHUNK):
            if not await self._passes(answer, link) or link.answer_is_lost.is_set():
                return
            link.client.write(answer)
            await link.client.drain()

    async def _passes(self, piece: bytes, link: _Link) -> bool:
        await self._flowing.wait()
        if self.delay:
            await asyncio.sleep(self.delay)
        if link.bytes_left is None:
            return True
        link.bytes_left -= len(piece)
        return link.bytes_left > 0


@asynccontextmanager
async def wired_to(host: str, port: int, *, at: int = 0) -> AsyncIterator[Wire]:
    """A wire to a server, on a port of the loopback; 0: on a free one."""
    wire = Wire(host, port)
    listener = await asyncio.start_server(wire.serve, "127.0.0.1", at)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listener.close()
        wire.thaw()
        wire.sever()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)


@asynccontextmanager
async def wired_to_database(database_url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to a PostgreSQL, and the database's address by way of it."""
    address = urlsplit(database_url)
    assert address.hostname is not None and address.port is not None
    async with wired_to(address.hostname, address.port) as wire:
        credentials = address.netloc.rpartition("@")[0]
        yield wire, address._replace(netloc=f"{credentials}@127.0.0.1:{wire.port}").geturl()
