"""One worker at a time, whichever migration consumer runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

WORKER_LOCK = 0x11A_0002
"""The session's advisory lock of the one active worker; it falls with the session."""


class HeldLock:
    """The lock in the hands of a session, which loses it with its connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    def is_held(self) -> bool:
        """Whether the session that took the lock still stands, as far as this side knows."""
        try:
            return not self._connection.is_closed()
        except asyncpg.InterfaceError:  # the pool has taken back a connection that broke
            return False


class WorkerLock:
    """The lock as a worker asks for it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[HeldLock | None]:
        """The lock for as long as the context lasts, or None while another session holds it.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._pool.acquire() as connection:
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", WORKER_LOCK):
                yield HeldLock(connection)
            else:
                yield None
