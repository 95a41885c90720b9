"""Run migrations: on a connection that llamalog hands over, or on one of its own for Alembic's CLI.

The CLI is for authors: `alembic -x database_url=postgresql://… revision --autogenerate -m "…"`.
"""

import asyncio

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from llamalog_service.adoption.migration_runner import VERSION_TABLE, migration_engine
from llamalog_service.postgres.tables import METADATA


def run(connection: Connection) -> None:
    # A statement before this line would open a transaction that Alembic takes for the caller's:
    # it would report success and leave the commit to a caller who does not know of it.
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_own_connection() -> None:
    database_url = context.get_x_argument(as_dictionary=True).get("database_url")
    if not isinstance(database_url, str):
        raise CommandError("No database was named: add `-x database_url=postgresql://…` after `alembic`.")
    async with migration_engine(database_url).connect() as connection:
        await connection.run_sync(run)


handed_over = context.config.attributes.get("connection")
if handed_over is None:
    asyncio.run(run_on_own_connection())
else:
    run(handed_over)
