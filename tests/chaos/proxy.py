"""A wire between the service and PostgreSQL that can be cut, also in the middle of a COMMIT, and frozen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_COMMIT = b"COMMIT;\x00"
"""As asyncpg says it: a simple query of its own."""


class Cut(Enum):
    """When a connection breaks that says COMMIT: what the client can't tell apart."""

    BEFORE_COMMIT = "the server never heard it"
    AFTER_COMMIT = "the server did it, its answer is lost"


class PostgresProxy:
    """Hands bytes on between clients and one PostgreSQL.

    Attributes:
        cuts: taken from its end, one for each COMMIT that comes, until it is empty.
        cut: how many connections were broken by them.
    """

    def __init__(self, database_url: str) -> None:
        address = urlsplit(database_url)
        assert address.hostname is not None and address.port is not None
        self._server_address = address.hostname, address.port
        self._direct = address
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.cuts: list[Cut] = []
        self.cut = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The database's address by way of this wire."""
        credentials = self._direct.netloc.rpartition("@")[0]
        return self._direct._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    def sever(self) -> int:
        """Break every connection that stands, from both sides; how many there were."""
        links = list(self._links)
        for ends in links:
            for end in ends:
                end.transport.abort()
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
        ends = client, server
        self._links.add(ends)
        answer_is_lost = asyncio.Event()
        pumps = [
            asyncio.create_task(self._requests(client_reader, server, answer_is_lost)),
            asyncio.create_task(self._answers(server_reader, client, answer_is_lost)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(ends)
            for end in ends:
                end.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, answer_is_lost: asyncio.Event
    ) -> None:
        while said := await reader.read(_CHUNK):
            await self._flowing.wait()
            if self.cuts and _COMMIT in said:
                self.cut += 1
                if self.cuts.pop() is Cut.BEFORE_COMMIT:
                    return
                answer_is_lost.set()
            server.write(said)
            await server.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, answer_is_lost: asyncio.Event
    ) -> None:
        while answer := await reader.read(_CHUNK):
            await self._flowing.wait()
            if answer_is_lost.is_set():
                return
            client.write(answer)
            await client.drain()


@asynccontextmanager
async def wired_to(database_url: str) -> AsyncIterator[PostgresProxy]:
    """A wire to a database, on a free port of the loopback."""
    proxy = PostgresProxy(database_url)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        proxy.thaw()
        proxy.sever()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
