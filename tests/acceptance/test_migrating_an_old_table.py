"""`llamalog migrate` on a table of another application: previewed, killed, repeated, with others at work."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness.catalogue import catalogue
from harness.commands import llamalog_here
from harness.databases import go_to, new_database, run_sql
from harness.environments import environment_of_database
from harness.old_tables import POINTS, make_old_table
from harness.started_commands import Ended, started
from harness.table_users import in_use
from llamalog_service.adoption.migration_runner import migrate

ROWS = "SELECT to_jsonb(l) - 'recorded_at' AS row FROM llama_logs l ORDER BY id"
ASIDE = "SELECT row_id, parent_job_id, root_job_id FROM legacy_values ORDER BY row_id"


async def llamalog(database_url: str, *words: str) -> Ended:
    """Run a command to its end in this process."""
    return await llamalog_here(*words, environment=environment_of_database(database_url))


@pytest.fixture
async def old(postgres_url: str) -> AsyncIterator[str]:
    async with new_database(postgres_url) as url:
        yield url


async def what_stands(database_url: str) -> Any:
    rows = [row["row"] for row in await run_sql(database_url, ROWS)]
    return rows, await run_sql(database_url, ASIDE), await catalogue(database_url)


async def undisturbed(postgres_url: str, point: str, rows: int) -> Any:
    async with new_database(postgres_url) as url:
        await make_old_table(url, point, rows)
        await migrate(url)
        return await what_stands(url)


async def test_a_check_names_every_step_with_its_rows_and_changes_nothing(old: str) -> None:
    await make_old_table(old, "roots")
    before = await catalogue(old), await run_sql(old, "SELECT l::text FROM llama_logs l ORDER BY id")
    code, out, _ = await llamalog(old, "migrate", "--check", "--compat-view", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["start"], found["revision"], found["rows"]) == (
        "llama_logs with LINKED and root_job_id",
        None,
        60,
    )
    steps = {step["what"]: step["rows"] for step in found["steps"]}
    parents = await run_sql(old, "SELECT FROM llama_logs WHERE is_root_job AND parent_job_id IS NOT NULL")
    roots = await run_sql(old, "SELECT FROM llama_logs WHERE root_job_id IS NOT NULL")
    assert steps["keep aside and clear the parent of rows that call themselves root jobs"] == len(parents) > 0
    assert steps["keep aside the root that another program computed"] == len(roots) > 0
    assert steps["drop the foreign key enrichment_logs_album_id_fkey to albums"] == 0
    assert found["steps"][-1]["revision"] == "--compat-view"
    assert (
        await catalogue(old),
        await run_sql(old, "SELECT l::text FROM llama_logs l ORDER BY id"),
    ) == before

    assert (await llamalog(old, "migrate", "--compat-view"))[0] == 0
    _, out, _ = await llamalog(old, "migrate", "--check", "--compat-view")
    assert "there is no pending step" in out


@pytest.mark.parametrize("point", POINTS)
async def test_the_rows_that_a_check_predicts_are_those_that_are_touched(old: str, point: str) -> None:
    await make_old_table(old, point)
    _, out, _ = await llamalog(old, "migrate", "--check", "--json")
    predicted = {
        step["what"].split(",")[0]: step["rows"] for step in json.loads(out)["steps"] if step["rows"]
    }
    _, _, errors = await llamalog(old, "migrate")
    logged = [json.loads(line) for line in errors.splitlines() if '"total"' in line]
    assert sorted(predicted.values()) == sorted({line["event"]: line["total"] for line in logged}.values())


async def test_what_cannot_be_taken_over_is_reported_with_exit_code_1(old: str) -> None:
    await make_old_table(old, "first")
    await run_sql(old, "CREATE TABLE llama_logs (id uuid)")
    code, _, errors = await llamalog(old, "migrate", "--check")
    assert (code, "it is not clear which of them is the log" in " ".join(errors.split())) == (1, True)
    code, _, errors = await llamalog(old, "migrate")
    assert code == 1
    assert "Traceback" not in errors


async def test_the_old_name_stays_readable_on_request_and_goes_on_the_way_down(old: str) -> None:
    await make_old_table(old, "first")
    reading = 'SELECT id, operation, metadata, "reviewScore" FROM enrichment_logs ORDER BY id'
    before = await run_sql(old, reading)
    await migrate(old, compat_view=True)
    await migrate(old, compat_view=True)
    assert await run_sql(old, reading) == before
    await go_to(old, "base")
    (kind,) = await run_sql(old, "SELECT relkind::text FROM pg_class WHERE relname = 'enrichment_logs'")
    assert kind["relkind"] == "r"


async def test_a_reader_of_the_old_name_never_finds_it_gone(old: str) -> None:
    await make_old_table(old, "first", rows=3_000)
    reader = await asyncpg.connect(old, statement_cache_size=0)
    migrating = asyncio.create_task(migrate(old, compat_view=True))
    reads = 0
    while not migrating.done():
        assert await reader.fetchval('SELECT count("reviewScore") FROM enrichment_logs') == 3_000
        reads += 1
        await asyncio.sleep(0.003)
    assert await migrating
    assert reads > 10
    await reader.close()


async def test_an_application_that_knows_no_category_yet_does_not_keep_the_migration_from_its_end(
    old: str,
) -> None:
    await make_old_table(old, "first", rows=10_000)
    stopped, counts = asyncio.Event(), Counter[str]()
    writing = [asyncio.create_task(write_as_ever(old, stopped, counts)) for _ in range(3)]
    try:
        assert await asyncio.wait_for(migrate(old), 120)
    finally:
        stopped.set()
        await asyncio.gather(*writing)
    (counted,) = await run_sql(
        old, "SELECT count(category), count(*) FROM llama_logs WHERE operation = 'ever'"
    )
    assert counts["written"] and counts["refused"]
    assert list(counted) == [counts["written"]] * 2


async def write_as_ever(database_url: str, stopped: asyncio.Event, counts: Counter[str]) -> None:
    """Write rows without a category under whichever name the table has."""
    connection = await asyncpg.connect(database_url, statement_cache_size=0)
    while not stopped.is_set():
        for table in ("enrichment_logs", "llama_logs"):
            try:
                await connection.execute(
                    f"INSERT INTO {table} (entity_type, operation, status) "
                    "VALUES ('ALBUM', 'ever', 'SUCCESS')"
                )
            except asyncpg.UndefinedTableError:
                continue
            except (asyncpg.CheckViolationError, asyncpg.NotNullViolationError):
                counts["refused"] += 1
            else:
                counts["written"] += 1
                break
        await asyncio.sleep(0)
    await connection.close()


@contextmanager
def failing_after(statements: int) -> Iterator[None]:
    """Interrupt a migration after so many statements, as Ctrl-C does."""
    left = statements

    def fail(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", fail)


@pytest.mark.parametrize("point", ["first", "roots"])
async def test_stopped_between_statements_the_same_command_goes_on(
    postgres_url: str, old: str, point: str
) -> None:
    await make_old_table(old, point)
    statements, done = 0, False
    while not done:
        statements += 11
        with failing_after(statements):
            try:
                await migrate(old)
                done = True
            except KeyboardInterrupt:
                continue
    assert statements > 60
    assert await what_stands(old) == await undisturbed(postgres_url, point, 60)


async def test_killed_again_and_again_it_ends_where_an_undisturbed_one_ends(
    postgres_url: str, old: str
) -> None:
    await make_old_table(old, "first", rows=10_000)
    kills, delay = 0, 0.7
    while True:
        process = (await started("migrate", environment=environment_of_database(old))).process
        try:
            _, errors = await asyncio.wait_for(process.communicate(), delay)
        except TimeoutError:
            process.kill()
            await process.communicate()
            kills, delay = kills + 1, delay * 1.5
            continue
        assert process.returncode == 0, errors
        break
    assert kills >= 2
    assert await what_stands(old) == await undisturbed(postgres_url, "first", 10_000)


async def test_no_session_waits_long_while_the_table_is_migrated(old: str) -> None:
    """In small; with a million rows: `python -m bench.migration_locks`."""
    await make_old_table(old, "first", rows=10_000)
    async with in_use(old, 10_000, lock_timeout="1s", pause=0.02) as waits:
        migrating = await started("migrate", environment=environment_of_database(old))
        ended = await migrating.ended()
    assert ended.code == 0, ended.err
    assert set(waits.seconds) == {"read", "update", "insert"}
    live = await run_sql(
        old, "SELECT is_root_job, category IS NULL FROM llama_logs WHERE job_id LIKE 'live-%'"
    )
    assert len(live) == waits.inserted
    assert {tuple(row) for row in live} == {(True, False)}


async def test_a_connection_that_is_lost_is_reported_in_a_sentence_and_the_same_command_resumes(
    old: str,
) -> None:
    await make_old_table(old, "first")
    await run_sql(
        old,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
        "CREATE TRIGGER die BEFORE UPDATE ON enrichment_logs FOR EACH STATEMENT EXECUTE FUNCTION die()",
    )
    code, _, errors = await llamalog(old, "migrate")
    assert code == 1
    assert "Traceback" not in errors
    assert "A migration failed after revision 0001" in " ".join(errors.split())
    await run_sql(old, "DROP TRIGGER die ON enrichment_logs")
    assert (await llamalog(old, "migrate"))[0] == 0
