"""Migration of a database to this version's schema.

The steps are Alembic revisions in ``migrations/``, at the top of a checkout and within the installed package.
One migration of a database runs at a time; its session holds an advisory lock.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from llamalog_service.adoption.compat_view import ensure_compat_view
from llamalog_service.adoption.migration_check import MigrationCheck, check_schema, require_adoptable
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.errors import refused_logins
from llamalog_service.postgres.pool import (
    NO_TRANSACTION_TIMEOUT,
    SESSION,
    has_transaction_timeout,
)

CONNECT_TIMEOUT_SECONDS: Final = 10
ADVISORY_LOCK: Final = int.from_bytes(b"llamamig")
"""The key of the session lock that a migration holds."""

VERSION_TABLE: Final = "llamalog_revision"
"""The table of llamalog's revision; another tool may keep its own in the same schema."""

_KEPT_REVISION: Final = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - a name of our own
_PACKAGE: Final = Path(__file__).parents[1]
_POLL_SECONDS: Final = 0.2

# Alembic keeps its current migration in module globals: two databases in one process take turns.
_alembic = threading.Lock()

_log = structlog.get_logger(__name__)


class DatabaseUnreachableError(LlamalogError):
    """The database's address does not answer."""

    def __init__(self, address: str, cause: BaseException) -> None:
        reason = str(cause) or type(cause).__name__
        super().__init__(
            f"PostgreSQL can't be reached at {address}: {reason}. Nothing more was done. "
            "Check that the server runs, and the address."
        )
        self.address = address


class UnknownRevisionError(LlamalogError):
    """The database was migrated by a version that knows more than this one."""

    def __init__(self, revision: str, newest_known: str) -> None:
        super().__init__(
            f"The database is at revision {revision}, which this version of llamalog does not know "
            f"(its newest is {newest_known}). Nothing was changed. "
            "Run the version that migrated the database, or a newer one."
        )
        self.revision = revision


class MigrationFailedError(LlamalogError):
    """PostgreSQL refused a step of a migration."""

    def __init__(self, cause: BaseException | None, current: str | None) -> None:
        where = f"revision {current}" if current else "no revision, as before the first"
        super().__init__(
            f"A migration failed after {where}: {cause}. The steps before it stay, and of that step what was "
            "done in transactions of its own. Remove the cause and migrate again: every step takes up what "
            "an interrupted one left."
        )
        self.current = current


class MigrationProgress(NamedTuple):
    """The progress of a step: its description, and rows changed of rows in total (None: unknown)."""

    what: str
    done: int = 0
    total: int | None = None


OnProgress = Callable[[MigrationProgress], None]
"""Called after every batch; has to return quickly."""


async def migrate(
    database_url: str, on_progress: OnProgress | None = None, *, compat_view: bool = False
) -> list[str]:
    """Bring the database to the newest revision.

    A second migration of the same database waits for the first. Every revision commits by itself, and an
    interrupted one can be run again.

    Args:
        database_url: ``postgresql://user:password@host:port/database``.
        on_progress: called with the progress of long steps.
        compat_view: whether to keep the table's old name readable through a view.

    Returns:
        The revisions that were applied, oldest first; empty where the database was up to date.

    Raises:
        DatabaseUnreachableError: the server does not answer.
        LoginRefusedError: it refuses the login.
        UnknownRevisionError: a newer version of llamalog has migrated this database.
        NotAdoptableError: the table cannot be taken over; nothing was changed.
        MigrationFailedError: PostgreSQL refused a step; the steps before it stay.
    """
    config = _alembic_config()
    config.attributes.update(on_progress=on_progress, compat_view=compat_view)
    applied: list[str] = []

    def run(connection: Connection) -> None:
        applied.extend(revisions_after(_revision_of(connection), config))
        if applied:
            require_adoptable(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        if compat_view:
            ensure_compat_view(connection)
            connection.commit()

    await _run_alembic(database_url, run)
    return applied


async def check_migration(database_url: str, *, compat_view: bool = False) -> MigrationCheck:
    """The state of a database and the steps that `migrate` would take; changes nothing.

    Reads the log several times.

    Raises:
        DatabaseUnreachableError: the server does not answer.
        LoginRefusedError: it refuses the login.
        UnknownRevisionError: a newer version of llamalog has migrated this database.
    """
    config = _alembic_config()

    async def creator() -> Any:
        return await connect(database_url, default_transaction_read_only="on")

    def run(connection: Connection) -> MigrationCheck:
        revision = _revision_of(connection)
        pending = revisions_after(revision, config)
        return check_schema(connection, config, revision, pending, compat_view=compat_view)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(run)
    finally:
        await engine.dispose()


async def current_revision(database_url: str) -> str | None:
    """The database's revision; None before the first migration.

    Raises:
        DatabaseUnreachableError: the server does not answer.
        LoginRefusedError: it refuses the login.
    """
    connection = await connect(database_url)
    try:
        if await connection.fetchval(f"SELECT to_regclass('{VERSION_TABLE}')") is None:
            return None
        revision: str | None = await connection.fetchval(_KEPT_REVISION)
        return revision
    finally:
        await connection.close()


async def empty_database(database_url: str) -> None:
    """Drop all tables of the database in one transaction.

    Raises:
        DatabaseUnreachableError: the server does not answer.
        LoginRefusedError: it refuses the login.
    """
    connection = await connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("DROP SCHEMA public CASCADE")
            await connection.execute("CREATE SCHEMA public")
    finally:
        await connection.close()


def migrations_directory() -> Path:
    """The folder of the migrations: in the installed package, else at the top of the checkout."""
    bundled = _PACKAGE / "_bundled" / "migrations"
    return bundled if bundled.is_dir() else _PACKAGE.parents[2] / "migrations"


def _alembic_config() -> Config:
    directory = migrations_directory()
    if str(directory.parent) not in sys.path:
        sys.path.append(str(directory.parent))  # revisions import migrations.altering
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def revisions_after(before: str | None, config: Config) -> list[str]:
    """The revisions that a database lacks, oldest first.

    Raises:
        UnknownRevisionError: a newer version of llamalog has migrated the database.
    """
    script = ScriptDirectory.from_config(config)
    known = [step.revision for step in script.walk_revisions()][::-1]
    if before is None:
        return known
    if before not in known:
        raise UnknownRevisionError(before, newest_known=known[-1])
    return known[known.index(before) + 1 :]


def _revision_of(connection: Connection) -> str | None:
    """The revision of a connection's database; leaves no transaction open."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    try:
        return context.get_current_revision()
    finally:
        connection.rollback()


async def _run_alembic(database_url: str, work: Callable[[Connection], None]) -> None:
    while not _alembic.acquire(blocking=False):  # noqa: ASYNC110 - an Event belongs to one event loop
        await asyncio.sleep(_POLL_SECONDS)
    engine = migration_engine(database_url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_raising_the_first_failure(work))
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise MigrationFailedError(cause, current=await current_revision(database_url)) from error
    finally:
        _alembic.release()
        await engine.dispose()


def _raising_the_first_failure(work: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Wrap work so that its own failure is raised, not Alembic's later one on the broken connection."""

    def wrapped(connection: Connection) -> None:
        try:
            work(connection)
        except PendingRollbackError as error:
            first: BaseException = error
            while isinstance(first, PendingRollbackError) and first.__context__ is not None:
                first = first.__context__
            raise first from None

    return wrapped


def migration_engine(database_url: str) -> AsyncEngine:
    """An engine that reads the URL as asyncpg does, and whose connections each hold the migration lock."""

    async def creator() -> Any:
        connection = await connect(database_url)
        try:
            await _take_migration_lock(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    return create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)


async def _take_migration_lock(connection: Any) -> None:
    """Take the lock that excludes other migrations of this database.

    The migrating connection itself holds it: after its process is killed, PostgreSQL finishes the current
    statement, and no other migration begins before that. The lock is polled, not waited for in PostgreSQL: a
    waiting statement holds a snapshot, for which CREATE INDEX CONCURRENTLY of the lock's holder would wait.
    """
    is_logged = False
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
        if not is_logged:
            _log.info("waiting for another migration of this database to end")
            is_logged = True
        await asyncio.sleep(_POLL_SECONDS)


async def connect(database_url: str, **settings: str) -> Any:
    """A connection with the application name of a migration.

    Args:
        settings: session settings.

    Raises:
        DatabaseUnreachableError: the server does not answer.
        LoginRefusedError: it refuses the login.
    """
    address = database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
    try:
        with refused_logins():
            connection = await asyncpg.connect(
                address,
                timeout=CONNECT_TIMEOUT_SECONDS,
                server_settings={**SESSION, "application_name": "llamalog migrate", **settings},
            )
        if has_transaction_timeout(connection):
            await connection.execute(NO_TRANSACTION_TIMEOUT)
        return connection
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(_without_password(address), error) from error


def _without_password(database_url: str) -> str:
    try:
        return make_url(database_url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "the address given (not of the form postgresql://user@host:port/database)"
