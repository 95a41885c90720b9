"""Tables of llamalog's own that get other names keep their rows, and keep no statement waiting for long."""

import asyncio
from typing import Any

import asyncpg
import pytest

from harness.databases import DatabaseAt, go_to, run_sql
from harness.old_tables import make_old_table
from harness.waiting import eventually
from llamalog_service.adoption.migration_check import NotAdoptableError
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.postgres.database_checks import OWN_TABLES

RETIRED = "decree|told|telling|wish|take_in|takes_in"

NAMES = """
    SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('%s.%s', relname, attname) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT attisdropped
    UNION ALL
    SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT description FROM pg_description WHERE classoid = 'pg_class'::regclass
        AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""

ROWS_BEFORE = (
    "INSERT INTO root_decrees (id, job_id, adopted, reason, requested_by, decreed_at, told) "
    "VALUES (gen_random_uuid(), 'gone', true, 'known', 'ada', '2026-02-10 12:00:00.123', true)",
    "INSERT INTO telling_progress (what, last_row) VALUES ('republish', gen_random_uuid())",
    "INSERT INTO removed_rows (row_id, content, told) VALUES (gen_random_uuid(), '{}', true)",
    "INSERT INTO backfill_runs (id, kind, jobs, reason, status, end_told, wish) "
    "VALUES (gen_random_uuid(), 'backfill-roots', '{}', '', 'running', true, 'pause')",
    "INSERT INTO backfill_plan "
    "VALUES (1, gen_random_uuid(), NULL, 'PENDING', NULL, false, 1, true, true, true)",
    "INSERT INTO llama_logs (id, operation, category, status, legacy_told) "
    "VALUES (gen_random_uuid(), 'op', 'CREATED', 'SUCCESS', true)",
)
BEFORE = ("root_decrees", "telling_progress", "removed_rows", "backfill_runs", "backfill_plan", "llama_logs")
AFTER = (
    "root_overrides",
    "publishing_progress",
    "removed_rows",
    "backfill_runs",
    "backfill_plan",
    "llama_logs",
)


async def rows_of(database_url: str, *tables: str) -> list[tuple[Any, ...]]:
    return [tuple(*await run_sql(database_url, f"SELECT * FROM {table}")) for table in tables]


async def test_rows_keep_their_values_under_the_new_names_and_under_the_old_ones_again(
    database_at: DatabaseAt,
) -> None:
    database = await database_at("0011")
    await run_sql(database, *ROWS_BEFORE)
    before = await rows_of(database, *BEFORE)

    await go_to(database, "0013")
    assert await rows_of(database, *AFTER) == before
    (kept,) = await run_sql(
        database,
        "SELECT o.is_sourced, r.is_published, b.end_published, b.requested_action, p.needs_normalising, "
        "l.legacy_sourced, o.overridden_at::text, w.publication "
        "FROM root_overrides o, removed_rows r, backfill_runs b, backfill_plan p, llama_logs l, "
        "publishing_progress w",
    )
    assert tuple(kept) == (True, True, True, "pause", True, True, "2026-02-10 12:00:00.123", "republish")

    await go_to(database, "0011")
    assert await rows_of(database, *BEFORE) == before


async def test_no_table_column_constraint_or_comment_bears_a_retired_name(database_url: str) -> None:
    names = {row["name"] for row in await run_sql(database_url, NAMES)}
    assert names >= {*OWN_TABLES, "root_overrides.overridden_at", "backfill_runs_requested_action_check"}
    retired = await run_sql(database_url, f"SELECT name FROM ({NAMES}) n WHERE name ~ '{RETIRED}' ORDER BY 1")
    assert [row["name"] for row in retired] == []


async def test_a_table_in_use_is_renamed_in_short_attempts(database_at: DatabaseAt) -> None:
    database = await database_at("0011")
    user, other = [await asyncpg.connect(database) for _ in range(2)]
    async with user.transaction():
        await user.fetch("SELECT FROM root_decrees")
        migrating = asyncio.create_task(migrate(database))
        await eventually(lambda: is_waiting(other))
        # It waits behind the migration's attempt, which gives up after 0.3 s although the table stays in use.
        await other.fetch("SELECT FROM root_decrees")
        assert not migrating.done()
    assert await migrating == ["0012", "0013", "0014", "0015", "0016", "0018", "0019"]
    await user.close()
    await other.close()


async def test_a_former_name_that_is_taken_is_named_before_anything_is_changed(empty_database: str) -> None:
    await run_sql(empty_database, "CREATE TABLE root_decrees (id uuid)")
    with pytest.raises(NotAdoptableError, match="root_decrees exists, was not created by llamalog"):
        await migrate(empty_database)


async def test_a_former_name_of_a_column_that_is_taken_is_named_too(empty_database: str) -> None:
    await make_old_table(empty_database, "first")
    await run_sql(empty_database, "ALTER TABLE enrichment_logs ADD COLUMN legacy_told integer")
    with pytest.raises(NotAdoptableError, match="has a column legacy_told of its own"):
        await migrate(empty_database)


async def is_waiting(connection: asyncpg.Connection) -> bool:
    waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'root_decrees'::regclass AND NOT granted)"
    return bool(await connection.fetchval(waits))
