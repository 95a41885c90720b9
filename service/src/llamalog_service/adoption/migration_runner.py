"""Brings a database to the schema of this version, and tells which schema a database has.

The steps are Alembic revisions in ``migrations/``, which stands at the top of a checkout and within the
package once that is installed.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from llamalog_service.adoption.adoptable import refuse_unless_adoptable
from llamalog_service.adoption.compat_view import ensure_compat_view
from llamalog_service.adoption.migration_check import MigrationCheck, check
from llamalog_service.adoption.migration_connection import connect, migration_engine
from llamalog_service.adoption.migration_progress import Watch
from llamalog_service.postgres.errors import MigrationFailedError, UnknownRevisionError

VERSION_TABLE: Final = "llamalog_revision"
"""Where our revision is kept: another tool may keep one of its own in the same schema."""

_KEPT_REVISION: Final = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - a name of our own
_PACKAGE: Final = Path(__file__).parents[1]
_POLL_SECONDS: Final = 0.2

# Alembic keeps the migration in hand in module globals: two databases in one process take turns.
_alembic = threading.Lock()


async def migrate(database_url: str, watch: Watch | None = None, *, compat_view: bool = False) -> list[str]:
    """Bring the database to the newest revision; who comes second waits, and finds nothing left to do.

    Every revision commits by itself, and one that was interrupted can be run again.

    Args:
        database_url: ``postgresql://user:password@host:port/database``.
        watch: told how far steps are that take their time.
        compat_view: whether to keep the table's old name readable, by a view.

    Returns:
        The revisions that were applied, oldest first; empty where the database was up to date.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
        UnknownRevisionError: a newer version of llamalog has migrated this database.
        NotAdoptableError: what stands there is no log that can be taken over; nothing was changed.
        MigrationFailedError: PostgreSQL refused a step; the steps before it stay.
    """
    config = _alembic_config()
    config.attributes.update(watch=watch, compat_view=compat_view)
    applied: list[str] = []

    def run(connection: Connection) -> None:
        applied.extend(revisions_after(_revision_of(connection), config))
        if applied:
            refuse_unless_adoptable(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        if compat_view:
            ensure_compat_view(connection)
            connection.commit()

    await _with_alembic(database_url, run)
    return applied


async def check_migration(database_url: str, *, compat_view: bool = False) -> MigrationCheck:
    """What `migrate` would find and do; reads the log some times over, and changes nothing.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
        UnknownRevisionError: a newer version of llamalog has migrated this database.
    """
    config = _alembic_config()

    async def creator() -> Any:
        return await connect(database_url, default_transaction_read_only="on")

    def run(connection: Connection) -> MigrationCheck:
        revision = _revision_of(connection)
        todo = revisions_after(revision, config)
        return check(connection, config, revision, todo, compat_view=compat_view)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(run)
    finally:
        await engine.dispose()


async def current_revision(database_url: str) -> str | None:
    """The revision that the database is at; None where no migration was ever run.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
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
    """Drop everything that llamalog keeps in the database, in one transaction: all of it or nothing.

    Raises:
        DatabaseUnreachableError: nobody answers there, or we are not let in.
    """
    connection = await connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("DROP SCHEMA public CASCADE")
            await connection.execute("CREATE SCHEMA public")
    finally:
        await connection.close()


def migrations_directory() -> Path:
    """Where the migrations are: within the installed package, else at the top of the checkout."""
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
    """The revision that a connection's database is at; leaves no transaction open."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    try:
        return context.get_current_revision()
    finally:
        connection.rollback()


async def _with_alembic(database_url: str, work: Callable[[Connection], None]) -> None:
    while not _alembic.acquire(blocking=False):  # noqa: ASYNC110 - an Event belongs to one event loop
        await asyncio.sleep(_POLL_SECONDS)
    engine = migration_engine(database_url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_telling_the_first_failure(work))
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise MigrationFailedError(cause, standing_at=await current_revision(database_url)) from error
    finally:
        _alembic.release()
        await engine.dispose()


def _telling_the_first_failure(work: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """The work, whose failure is told rather than what Alembic then can't do with a broken connection."""

    def telling(connection: Connection) -> None:
        try:
            work(connection)
        except PendingRollbackError as error:
            first: BaseException = error
            while isinstance(first, PendingRollbackError) and first.__context__ is not None:
                first = first.__context__
            raise first from None

    return telling
