"""Databases of a test's own, and the way of an author through the revisions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from llamalog_service.adoption import migration_runner as schema
from llamalog_service.adoption.migration_runner import VERSION_TABLE, migration_engine

ALL_REVISIONS = [
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0018",
    "0019",
]

DatabaseAt = Callable[[str], Awaitable[str]]
"""Makes a database of a test's own at a revision of the migrations; returns its URL."""


@asynccontextmanager
async def new_database(postgres_url: str, template: str = "template1") -> AsyncIterator[str]:
    """A database of one's own: a copy of the template, dropped at the end, also with open connections.

    Its files are copied: that takes half the CPU of a copy by way of the log, where no disk is waited for.
    """
    name = f"test_{uuid4().hex}"
    await run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    finally:
        await run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def run_sql(database_url: str, *statements: str) -> list[Any]:
    connection = await asyncpg.connect(database_url)
    try:
        for statement in statements:
            rows = await connection.fetch(statement)
        return list(rows)
    finally:
        await connection.close()


async def go_to(database_url: str, revision: str) -> None:
    """Go up or down to a revision, as an author does with Alembic's CLI."""
    config = schema._alembic_config()

    def go(connection: Connection) -> None:
        config.attributes["connection"] = connection
        kept = {"version_table": VERSION_TABLE}
        current = MigrationContext.configure(connection, opts=kept).get_current_revision()
        connection.rollback()
        up = revision != "base" and revision > (current or "")
        (command.upgrade if up else command.downgrade)(config, revision)

    async with migration_engine(database_url).connect() as connection:
        await connection.run_sync(go)
