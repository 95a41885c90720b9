"""Advisory locks: of every correction of roots, of the one active worker, of the one rebuild."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Final

import asyncpg

from llamalog_service.domain.errors import LlamalogError

RECOMPUTE_LOCK: Final = 0x11A_0001
"""Held by every transaction that corrects roots, so that no two correct each other's work."""
WORKER_LOCK: Final = 0x11A_0002
REBUILD_LOCK: Final = 0x11A_0003
_READING_LOCK: Final = 0x11A_0004
"""Shared by the transactions of a rebuild's reader processes."""

_HOLDS: Final = """
    SELECT EXISTS (
        SELECT FROM pg_locks k
        WHERE k.locktype = 'advisory' AND k.classid = 0 AND k.objid = $1::bigint::oid AND k.granted
          AND k.pid = $2
          AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
"""

_HOLDER: Final = """
    SELECT format('%s, process %s of PostgreSQL, since %s', a.application_name, a.pid,
                  to_char(a.backend_start AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI "UTC"'))
    FROM pg_locks k
    JOIN pg_stat_activity a USING (pid)
    WHERE k.locktype = 'advisory' AND k.classid = 0 AND k.objid = $1::bigint::oid AND k.granted
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class RebuildInProgressError(LlamalogError):
    """A rebuild runs on this database.

    Args:
        holder: the session that holds its lock.
        consequence: sentences on what was left undone, and what to do.
    """

    def __init__(self, holder: str, consequence: str) -> None:
        super().__init__(f"A rebuild is in progress ({holder}). {consequence}")


class RebuildLockLostError(LlamalogError):
    """The session that held the lock of the one rebuild is gone: another rebuild may have begun."""

    def __init__(self) -> None:
        super().__init__(
            "The session that kept other rebuilds away is gone: PostgreSQL was restarted, or something cut "
            "the connection. Another rebuild may have begun, so this one has ended; what was repaired stays "
            "repaired, and what was read is kept. Run the same command again."
        )


async def lock_recompute(connection: asyncpg.Connection) -> None:
    """Wait for the lock of all corrections of roots and hold it up to the end of the transaction.

    The statements after this one see what the transaction that held the lock before has committed.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", RECOMPUTE_LOCK)


async def lock_reading(connection: asyncpg.Connection, holder: int) -> None:
    """Hold off, up to the end of the transaction, sessions that wait for the reader processes of a rebuild.

    Args:
        holder: the session that holds the lock of the rebuild.

    Raises:
        RebuildLockLostError: it does not hold it any more; another rebuild may read.
    """
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", _READING_LOCK)
    if not await connection.fetchval(_HOLDS, REBUILD_LOCK, holder):
        raise RebuildLockLostError


class SessionLock:
    """An advisory lock that one session of a database holds at a time; it ends with the session."""

    key: ClassVar[int]

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._holder: asyncpg.Connection | None = None

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[bool]:
        """Hold the lock for as long as the context lasts, unless another session holds it.

        Yields:
            Whether it is held.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._pool.acquire() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", self.key):
                yield False
                return
            self._holder = connection
            try:
                yield True
            finally:
                self._holder = None

    def is_held(self) -> bool:
        """Whether the session that took the lock still exists, as far as this side knows."""
        try:
            return self._holder is not None and not self._holder.is_closed()
        except asyncpg.InterfaceError:  # the pool has taken back a connection that broke
            return False

    async def other_holder(self) -> str:
        """The session that holds the lock: its application, its process, its beginning."""
        return await self._pool.fetchval(_HOLDER, self.key) or "another session"


class WorkerLock(SessionLock):
    """The lock of the one active worker over all migration consumers."""

    key = WORKER_LOCK


class RebuildLock(SessionLock):
    """The lock of the one rebuild in a database."""

    key = REBUILD_LOCK

    def check(self) -> None:
        """Check that the lock is still held, before each write that another rebuild would suffer from.

        Raises:
            RebuildLockLostError: the session with the lock is gone, as far as this side knows.
        """
        if not self.is_held():
            raise RebuildLockLostError

    @property
    def session(self) -> int:
        """The session of PostgreSQL that holds the lock.

        Raises:
            RebuildLockLostError: it is gone.
        """
        if self._holder is None:
            raise RebuildLockLostError
        return int(self._holder.get_server_pid())

    async def wait_for_readers(self) -> None:
        """Wait for transactions of reader processes that were ended: what they wrote is known after that."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _READING_LOCK)
