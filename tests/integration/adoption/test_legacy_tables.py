"""Legacy tables that go to the limits: all values of their rows are kept, also unknown ones."""

import pytest

from harness.catalogue import catalogue
from harness.databases import run_sql
from harness.legacy.adversarial import adversarial_rows, strange_values
from harness.legacy.database import (
    changed_values,
    differences,
    insert_rows,
    make_known_database,
    read_kept_aside,
    read_outcome,
    read_table,
    run_script,
)
from harness.legacy.oracle import adopted, kept_aside
from harness.legacy.schemas import (
    ADOPTABLE,
    NEIGHBOURS,
    UNKNOWN_CATEGORY,
    UNKNOWN_TO_US,
    StartingPoint,
    schema_at,
)
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event
from integration.adoption.test_legacy_roots import repair
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.postgres.pool import create_pool

at_every_starting_point = pytest.mark.parametrize("point", ADOPTABLE)


@at_every_starting_point
async def test_adversarial_rows_come_through_and_get_their_roots(
    empty_database: str, point: StartingPoint
) -> None:
    await run_script(empty_database, NEIGHBOURS + schema_at(point))
    await insert_rows(empty_database, point.table, adversarial_rows(point))
    before = await read_table(empty_database, point.table)

    await migrate(empty_database)
    assert changed_values(before, await read_table(empty_database, "llama_logs"), but=["parent_job_id"]) == []
    assert differences(await read_kept_aside(empty_database), kept_aside(before.rows.values())) == []

    async with create_pool(empty_database, min_size=0) as pool:
        await repair(pool)
    after = await read_table(empty_database, "llama_logs")
    assert changed_values(before, after, but=["parent_job_id", "root_job_id"]) == []
    expected = adopted(before.rows.values(), missing_tops=False)
    assert differences(await read_outcome(empty_database), expected) == []


async def make_strange_database(url: str, point: StartingPoint) -> None:
    await run_script(url, NEIGHBOURS + schema_at(point))
    await run_script(url, f"ALTER TABLE {point.table} DROP CONSTRAINT {point.table}_user_id_fkey")
    await run_script(url, UNKNOWN_TO_US.format(table=point.table))
    if point >= StartingPoint.CATEGORY:
        await run_script(url, UNKNOWN_CATEGORY)
    await insert_rows(url, point.table, strange_values(point))


@at_every_starting_point
async def test_what_we_do_not_know_is_kept(empty_database: str, point: StartingPoint) -> None:
    await make_strange_database(empty_database, point)
    before, schema = await read_table(empty_database, point.table), await catalogue(empty_database)

    await migrate(empty_database)

    assert changed_values(before, await read_table(empty_database, "llama_logs"), but=["parent_job_id"]) == []
    now = await catalogue(empty_database)
    labels = dict(tuple(enum) for enum in now["enums"])
    for name, values in schema["enums"]:
        assert [label for label in labels[name] if label in values] == values
    assert {"reviewed_logs", "one_review_each"} <= {name for _, name, *_ in now["indexes"]}
    assert "review_score_is_positive" in {name for _, name, _ in now["constraints"]}
    assert len(await run_sql(empty_database, "SELECT * FROM recent_logs")) == len(before.rows)


@at_every_starting_point
async def test_rows_with_strange_values_are_repaired_and_published_and_stop_nothing(
    empty_database: str, point: StartingPoint
) -> None:
    await make_strange_database(empty_database, point)
    before = await read_table(empty_database, point.table)
    await migrate(empty_database)

    async with create_pool(empty_database, min_size=0) as pool:
        await repair(pool)
        kept = KeptMessages()
        await Recomputer(pool, kept).publish_corrections()
        assert await pool.fetchval("SELECT count(*) FROM provenance_outbox") == 0
    assert sum(map(len, kept.by_topic.values())) == len(before.rows)
    published = {str(row_id): record.status for row_id, record in kept.provenance.items()}
    assert published == {row_id: row["status"] for row_id, row in before.rows.items()}

    expected = adopted(before.rows.values(), missing_tops=False)
    assert differences(await read_outcome(empty_database), expected) == []
    after = await read_table(empty_database, "llama_logs")
    assert changed_values(before, after, but=["parent_job_id", "root_job_id"]) == []


@at_every_starting_point
async def test_events_and_rows_of_the_application_that_come_before_the_backfill_get_their_roots(
    empty_database: str, point: StartingPoint
) -> None:
    await make_known_database(empty_database, point, lost_tops=True)
    await migrate(empty_database)
    legacy = await run_sql(empty_database, "SELECT job_id FROM llama_logs WHERE job_id LIKE 'orphan-%'")
    events = [event(1, "new-root"), event(2, "new-child", legacy[0]["job_id"]), event(3, "bullmq:lost-1")]

    async with create_pool(empty_database, min_size=0) as pool:
        kept = KeptMessages()
        await Writer(pool, kept).write(*events)
        await pool.execute(
            "INSERT INTO llama_logs (operation, status, category, job_id, parent_job_id, sources) "
            "VALUES ('check:album', 'SUCCESS', 'ENRICHED', 'written-by-the-application', 'new-root', NULL)"
        )
        await Recomputer(pool, kept).settle()
        await repair(pool)

    rows = (await read_table(empty_database, "llama_logs")).rows.values()
    assert differences(await read_outcome(empty_database), adopted(rows, missing_tops=False)) == []
    assert {row["origin"] for row in rows if row["job_id"] == "written-by-the-application"} == {"RESOLVED"}
    assert {row["origin"] for row in rows if row["parent_job_id"] == "bullmq:lost-1"} == {"RESOLVED"}
