"""Connections that migrate: one database has one at a time that changes it."""

import asyncio
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from llamalog_service.postgres.errors import DatabaseUnreachableError

CONNECT_TIMEOUT_SECONDS: Final = 10
ADVISORY_LOCK: Final = int.from_bytes(b"llamamig")
"""The key of the session lock that a migration holds."""

_POLL_SECONDS: Final = 0.2

_log = structlog.get_logger(__name__)


def migration_engine(database_url: str) -> AsyncEngine:
    """An engine that reads the URL as asyncpg does, and whose every connection is the one that migrates."""

    async def creator() -> Any:
        connection = await connect(database_url)
        try:
            await _become_the_one_migration(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    return create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)


async def _become_the_one_migration(connection: Any) -> None:
    """Take the lock that keeps other migrations of this database waiting.

    The connection that works holds it: when its process is killed, PostgreSQL goes on with the statement
    under way, and until that is done nobody else begins. It asks again and again rather than wait within
    PostgreSQL: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY of whoever holds the
    lock would wait for that in turn.
    """
    said = False
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
        if not said:
            _log.info("waiting for another migration of this database to end")
            said = True
        await asyncio.sleep(_POLL_SECONDS)


async def connect(database_url: str, **settings: str) -> Any:
    """A connection that says it migrates.

    Args:
        settings: of the session.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
    """
    address = database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
    try:
        return await asyncpg.connect(
            address,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings={"application_name": "llamalog migrate", **settings},
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(_without_password(address), error) from error


def _without_password(database_url: str) -> str:
    try:
        return make_url(database_url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "the address given (not of the form postgresql://user@host:port/database)"
