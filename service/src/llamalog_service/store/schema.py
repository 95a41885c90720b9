"""Brings a database to the schema of this version, and tells which schema a database has.

The steps are Alembic revisions in ``migrations/``, which stands at the top of a checkout and within the
package once that is installed.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from llamalog_service.store.errors import DatabaseUnreachableError, MigrationFailedError, UnknownRevisionError

CONNECT_TIMEOUT_SECONDS: Final = 10
ADVISORY_LOCK: Final = int.from_bytes(b"llamamig")
"""The key of the session lock that a migration holds."""

_PACKAGE: Final = Path(__file__).parents[1]
_POLL_SECONDS: Final = 0.2

# Alembic keeps the migration in hand in module globals: two databases in one process take turns.
_alembic = threading.Lock()
_log = structlog.get_logger(__name__)


async def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest revision; who comes second waits, and finds nothing left to do.

    Every revision commits by itself, and one that was interrupted can be run again.

    Args:
        database_url: ``postgresql://user:password@host:port/database``.

    Returns:
        The revisions that were applied, oldest first; empty where the database was up to date.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
        UnknownRevisionError: a newer version of llamalog has migrated this database.
        MigrationFailedError: PostgreSQL refused a step; the steps before it stay.
    """
    config = _alembic_config()
    async with one_migration_at_a_time(database_url):
        before = await current_revision(database_url)
        todo = _revisions_after(before, config)
        if todo:
            await _upgrade(database_url, config)
    return todo


async def current_revision(database_url: str) -> str | None:
    """The revision that the database is at; None where no migration was ever run.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
    """
    connection = await _connect(database_url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()


async def empty_database(database_url: str) -> None:
    """Drop everything that llamalog keeps in the database, in one transaction: all of it or nothing.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
    """
    connection = await _connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("DROP SCHEMA public CASCADE")
            await connection.execute("CREATE SCHEMA public")
    finally:
        await connection.close()


@asynccontextmanager
async def one_migration_at_a_time(database_url: str) -> AsyncIterator[None]:
    """Hold the lock that keeps other migrations of this database waiting.

    It asks again and again rather than wait within PostgreSQL: a waiting statement holds a snapshot, and
    CREATE INDEX CONCURRENTLY of whoever holds the lock would wait for that in turn.
    """
    connection = await _connect(database_url)
    try:
        said = False
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
            if not said:
                _log.info("waiting for another migration of this database to end")
                said = True
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        await connection.close()


def migration_engine(database_url: str) -> AsyncEngine:
    """An engine that reads the URL as asyncpg does and keeps no connection open."""

    async def creator() -> Any:
        return await _connect(database_url)

    return create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)


def migrations_directory() -> Path:
    """Where the migrations are: within the installed package, else at the top of the checkout."""
    bundled = _PACKAGE / "_bundled" / "migrations"
    return bundled if bundled.is_dir() else _PACKAGE.parents[2] / "migrations"


def _alembic_config() -> Config:
    directory = migrations_directory()
    if str(directory.parent) not in sys.path:
        sys.path.append(str(directory.parent))  # revisions import migrations.looking
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revisions_after(before: str | None, config: Config) -> list[str]:
    script = ScriptDirectory.from_config(config)
    known = [step.revision for step in script.walk_revisions()][::-1]
    if before is None:
        return known
    if before not in known:
        raise UnknownRevisionError(before, newest_known=known[-1])
    return known[known.index(before) + 1 :]


async def _upgrade(database_url: str, config: Config) -> None:
    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    while not _alembic.acquire(blocking=False):  # noqa: ASYNC110 - an Event belongs to one event loop
        await asyncio.sleep(_POLL_SECONDS)
    engine = migration_engine(database_url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    except (DBAPIError, asyncpg.PostgresError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise MigrationFailedError(cause, standing_at=await current_revision(database_url)) from error
    finally:
        _alembic.release()
        await engine.dispose()


async def _connect(database_url: str) -> Any:
    address = database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
    try:
        return await asyncpg.connect(
            address,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings={"application_name": "llamalog migrate"},
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(_without_password(address), error) from error


def _without_password(database_url: str) -> str:
    try:
        return make_url(database_url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "the address given (not of the form postgresql://user@host:port/database)"
