"""One rebuild at a time in one database, and an end to whoever has lost the lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from llamalog_service.postgres.errors import StoreError
from llamalog_service.postgres.worker_lock import HeldLock

REBUILD_LOCK: Final = 0x11A_0003
"""The session's advisory lock of the one rebuild; it falls with the session."""

_HOLDER: Final = """
    SELECT format('%s, process %s of PostgreSQL, since %s', a.application_name, a.pid,
                  to_char(a.backend_start AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI "UTC"'))
    FROM pg_locks k
    JOIN pg_stat_activity a USING (pid)
    WHERE k.locktype = 'advisory' AND k.classid = 0 AND k.objid = $1::bigint::oid AND k.granted
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class NotAloneError(StoreError):
    """The session that kept other rebuilds away is gone: another one may have begun."""

    def __init__(self) -> None:
        super().__init__(
            "The session that kept other rebuilds away is gone: PostgreSQL was restarted, or something cut "
            "the connection. Another rebuild may have begun, so this one has ended; what was mended stays "
            "mended, and what was read is kept. Run the same command again."
        )


class RebuildLock:
    """The lock as a rebuild asks for it and holds it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._held: HeldLock | None = None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[str | None]:
        """Keep others from rebuilding for as long as the context lasts.

        Yields:
            None, or who is rebuilding already.
        """
        async with self._pool.acquire() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", REBUILD_LOCK):
                yield await connection.fetchval(_HOLDER, REBUILD_LOCK) or "another session"
                return
            self._held = HeldLock(connection)
            try:
                yield None
            finally:
                self._held = None

    def check(self) -> None:
        """See whether others are still kept away, before whatever another rebuild would suffer from.

        Raises:
            NotAloneError: the session with the lock is gone, as far as this side knows.
        """
        if self._held is None or not self._held.is_held():
            raise NotAloneError
