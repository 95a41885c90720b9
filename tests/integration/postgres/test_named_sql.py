"""Every named query is one that PostgreSQL understands, against the schema that the migrations make."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from harness.databases import new_database
from llamalog_service.log.unsourced_rows import rows_as_texts
from llamalog_service.postgres.pool import prepare_connection
from llamalog_service.postgres.statements import sql, statement_files
from llamalog_service.queries.logs import Driver, Search

NAMES = sorted(statement_files())
SCRIPTS = [
    "recompute_prepare",
    "rule_prepare",
    "shadow_create",
    "shadow_reset",
    "shadow_repeated",
    "compare_prepare",
]
"""Several statements in one file: run, in this order, not prepared."""

ROW_WRITES = {
    "recompute_write": "recompute_rows",
    "normalise_external_parents": "normalise_rows",
    "resolve_untracked": "untracked_rows",
    "erase_write": "erase_rows",
    "retract_write": "retract_rows",
    "plan_apply": "plan_rows",
}
"""Writes of rows, each over the statement that selects them."""

TEMPLATES = {"logs_page", "logs_last_scanned", "side_counts", "unsourced_rows", *ROW_WRITES}
"""Prepared in every way in which they are composed."""


def _belongs_to(capability: str, name: str) -> bool:
    return name not in TEMPLATES.union(SCRIPTS) and f"/{capability}/sql/" in str(statement_files()[name])


in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prepared(postgres_url: str, template_database: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection for all: its work tables take longer than the statements."""
    async with new_database(postgres_url, template_database) as url:
        connection = await asyncpg.connect(url)
        await prepare_connection(connection)
        for script in SCRIPTS:
            await connection.execute(sql(script))
        yield connection
        await connection.close()


@pytest_asyncio.fixture(loop_scope="module")
async def connection(prepared: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """As it was before, after any earlier tests."""
    transaction = prepared.transaction()
    await transaction.start()
    yield prepared
    await transaction.rollback()


@in_one_loop
@pytest.mark.parametrize("name", [name for name in NAMES if name not in TEMPLATES.union(SCRIPTS)])
async def test_a_named_query_can_be_prepared(connection: asyncpg.Connection, name: str) -> None:
    await connection.prepare(sql(name))
    await connection.prepare(sql(name, brief=True))


@in_one_loop
@pytest.mark.parametrize("name", [name for name in NAMES if _belongs_to("queries", name)])
async def test_no_query_returns_a_time_as_the_table_has_it(connection: asyncpg.Connection, name: str) -> None:
    """A legacy row may be of the year 12026, which no Python date holds: a time returned has been limited."""
    assert await stored_times(connection, sql(name)) == []
    assert await stored_times(connection, sql(name, brief=True)) == []


async def stored_times(connection: asyncpg.Connection, statement: str) -> list[str]:
    """The columns that a statement returns as times without a zone, which only tables have."""
    prepared = await connection.prepare(statement)
    return [column.name for column in prepared.get_attributes() if column.type.name == "timestamp"]


@in_one_loop
@pytest.mark.parametrize("write", ROW_WRITES)
async def test_a_write_over_the_rows_that_it_needs_can_be_prepared(
    connection: asyncpg.Connection, write: str
) -> None:
    composed = sql(write).replace("WANTED_ROWS", sql(ROW_WRITES[write]))
    assert composed != sql(write)
    await connection.prepare(composed)


@in_one_loop
@pytest.mark.parametrize("side", ["live", "rebuilt"])
async def test_the_counts_of_both_sides_can_be_prepared(connection: asyncpg.Connection, side: str) -> None:
    await connection.prepare(sql("side_counts").replace("SIDE", side))


@in_one_loop
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("driver", Driver)
async def test_every_way_to_search_can_be_prepared(
    connection: asyncpg.Connection, driver: Driver, newest_first: bool
) -> None:
    search = Search(driver, newest_first=newest_first)
    for statement in (search.page, search.brief_page, search.last_scanned):
        assert await stored_times(connection, statement) == []


@in_one_loop
async def test_columns_that_others_made_can_be_read_as_texts(connection: asyncpg.Connection) -> None:
    await connection.execute("""ALTER TABLE llama_logs ADD COLUMN "their ""own" numeric""")
    await connection.prepare(rows_as_texts(["operation", "metadata", 'their "own']))


@in_one_loop
@pytest.mark.parametrize("script", [script for script in SCRIPTS if script.endswith("_prepare")])
async def test_work_tables_can_be_made_twice(connection: asyncpg.Connection, script: str) -> None:
    await connection.execute(sql(script))


def test_every_named_query_says_what_it_is_for() -> None:
    assert [name for name in NAMES if not sql(name).startswith("-- ")] == []
    assert len(NAMES) > 15
