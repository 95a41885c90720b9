"""The known database, migrated from each of its starting points: nothing lost, nothing changed unasked."""

import asyncpg
import pytest

from harness.legacy.adversarial import adversarial_rows, strange_values
from harness.legacy.database import (
    Table,
    changed_values,
    differences,
    insert_rows,
    make_known_database,
    read_everything,
    read_kept_aside,
    read_outcome,
    read_table,
    run_script,
)
from harness.legacy.known import PARENTS_CLEARED, ROWS
from harness.legacy.oracle import adopted, kept_aside, taken_in
from harness.legacy.schemas import (
    ADOPTABLE,
    NEIGHBOURS,
    UNKNOWN_CATEGORY,
    UNKNOWN_TO_US,
    Spelling,
    StartingPoint,
    schema_at,
)
from integration.catalogue import catalogue
from integration.databases import ALL_REVISIONS, go_to, run_sql
from llamalog_service.store.schema import migrate

NEIGHBOURS_NAMES = {"albums", "artists", "tracks", "users", "_prisma_migrations"}
REVISION_OF = {
    StartingPoint.FIRST: "0001",
    StartingPoint.ROOT_FLAG: "0002",
    StartingPoint.CATEGORY: "0003",
    StartingPoint.ROOTS: "0004",
}
DATABASES: list[tuple[StartingPoint, Spelling]] = [
    (StartingPoint.FIRST, "enrichment_logs"),
    (StartingPoint.ROOT_FLAG, "enrichment_logs"),
    (StartingPoint.CATEGORY, "enrichment_logs"),
    (StartingPoint.CATEGORY, "llama_logs"),
    (StartingPoint.ROOTS, "enrichment_logs"),
    (StartingPoint.ROOTS, "llama_logs"),
]
at_every_starting_point = pytest.mark.parametrize(("point", "spelling"), DATABASES)


async def neighbours(url: str) -> dict[str, list[str]]:
    return {name: rows for name, rows in (await read_everything(url)).items() if name in NEIGHBOURS_NAMES}


def clears(before: Table) -> set[str]:
    return {
        row_id for row_id, kept in kept_aside(before.rows.values()).items() if kept.parent_job_id is not None
    }


def assert_taken_in(before: Table, after: Table) -> None:
    """Nothing differs from what stood there, but for the parents of rows that call themselves root jobs."""
    assert changed_values(before, after, but=["parent_job_id"]) == []
    parents = {row_id: row["parent_job_id"] for row_id, row in after.rows.items()}
    expected = {row_id: row["parent_job_id"] for row_id, row in taken_in(before.rows.values()).items()}
    assert differences(parents, expected) == []


@at_every_starting_point
async def test_the_migrated_rows_are_those_that_stood_there(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    before, beside = await read_table(empty_database, point.table), await neighbours(empty_database)

    assert await migrate(empty_database) == ALL_REVISIONS

    after = await read_table(empty_database, "llama_logs")
    assert len(after.rows) == ROWS
    assert_taken_in(before, after)
    assert await neighbours(empty_database) == beside


@at_every_starting_point
async def test_what_is_new_in_a_migrated_row_is_what_the_oracle_says(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    before = await read_table(empty_database, point.table)
    await migrate(empty_database)

    found = await read_outcome(empty_database)
    expected = adopted(before.rows.values())
    decided = {row_id: (row.category, row.is_root_job, row.parent_job_id) for row_id, row in found.items()}
    assert (
        differences(
            decided,
            {row_id: (row.category, row.is_root_job, row.parent_job_id) for row_id, row in expected.items()},
        )
        == []
    )
    assert {row.origin for row in found.values()} == {None}
    roots = {row_id: row.root_job_id for row_id, row in found.items()}
    assert roots == {row_id: row.get("root_job_id") for row_id, row in before.rows.items()}


@at_every_starting_point
async def test_what_the_rules_overrule_is_kept_aside(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    before = await read_table(empty_database, point.table)
    await migrate(empty_database)

    kept = await read_kept_aside(empty_database)
    assert differences(kept, kept_aside(before.rows.values())) == []
    cleared = [row_id for row_id, values in kept.items() if values.parent_job_id is not None]
    assert len(cleared) == (PARENTS_CLEARED if point >= StartingPoint.ROOT_FLAG else 0)


@at_every_starting_point
async def test_a_second_migration_finds_nothing_to_do(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    await migrate(empty_database)
    first = await read_everything(empty_database), await catalogue(empty_database)
    assert await migrate(empty_database) == []
    assert (await read_everything(empty_database), await catalogue(empty_database)) == first


@at_every_starting_point
async def test_the_way_down_leads_back_to_what_stood_there_and_up_again_to_the_same_end(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    before = await read_table(empty_database, point.table)
    await migrate(empty_database)
    first = await read_table(empty_database, "llama_logs"), await read_kept_aside(empty_database)

    await go_to(empty_database, REVISION_OF[point])
    back = await read_table(empty_database, point.table)
    assert set(back.columns) == set(before.columns)
    assert changed_values(before, back) == []

    await migrate(empty_database)
    assert changed_values(first[0], await read_table(empty_database, "llama_logs"), but=["recorded_at"]) == []
    assert await read_kept_aside(empty_database) == first[1]


FOREIGN_KEYS = """
    SELECT confrelid::regclass::text AS to, pg_get_constraintdef(oid) AS what
    FROM pg_constraint WHERE contype = 'f' ORDER BY 1
"""


@at_every_starting_point
async def test_no_foreign_key_leads_out_of_the_log_until_the_way_down_restores_it(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    before = await run_sql(empty_database, FOREIGN_KEYS)
    assert len(before) == 4
    await migrate(empty_database)
    assert await run_sql(empty_database, FOREIGN_KEYS) == []
    await run_sql(empty_database, "DELETE FROM tracks")  # provenance outlives its entities
    assert await run_sql(empty_database, "SELECT count(*) FROM llama_logs") == [(ROWS,)]

    await go_to(empty_database, REVISION_OF[point])
    after = await run_sql(empty_database, FOREIGN_KEYS)
    assert [(key["to"], key["what"].removesuffix(" NOT VALID")) for key in after] == [
        tuple(key) for key in before
    ]


INDEXES = """
    SELECT replace(
        regexp_replace(indexdef, '^CREATE (UNIQUE )?INDEX \\S+ ON ', '\\1'), 'enrichment_logs', 'llama_logs')
    FROM pg_indexes WHERE tablename = ANY ('{enrichment_logs,llama_logs}') ORDER BY 1
"""


@at_every_starting_point
async def test_every_index_that_stood_there_still_stands(
    empty_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    before = {row[0] for row in await run_sql(empty_database, INDEXES)}
    await migrate(empty_database)
    assert before - {row[0] for row in await run_sql(empty_database, INDEXES)} == set()


@at_every_starting_point
async def test_every_index_of_ours_stands_whatever_bore_its_name(
    empty_database: str, other_database: str, point: StartingPoint, spelling: Spelling
) -> None:
    await make_known_database(empty_database, point, spelling)
    await migrate(empty_database)
    await migrate(other_database)
    ours = {row[0] for row in await run_sql(other_database, INDEXES)}
    assert ours - {row[0] for row in await run_sql(empty_database, INDEXES)} == set()


async def test_an_empty_database_beside_other_tables_becomes_the_log(empty_database: str) -> None:
    await make_known_database(empty_database, StartingPoint.EMPTY)
    beside = await neighbours(empty_database)
    assert len(beside["albums"]) > 100
    assert await migrate(empty_database) == ALL_REVISIONS
    assert await neighbours(empty_database) == beside
    assert (await read_table(empty_database, "llama_logs")).rows == {}


@pytest.mark.parametrize("point", ADOPTABLE)
async def test_adversarial_rows_come_through(empty_database: str, point: StartingPoint) -> None:
    await run_script(empty_database, NEIGHBOURS + schema_at(point))
    await insert_rows(empty_database, point.table, adversarial_rows(point))
    before = await read_table(empty_database, point.table)
    await migrate(empty_database)
    assert_taken_in(before, await read_table(empty_database, "llama_logs"))
    assert differences(await read_kept_aside(empty_database), kept_aside(before.rows.values())) == []


async def make_strange_database(url: str, point: StartingPoint) -> None:
    await run_script(url, NEIGHBOURS + schema_at(point))
    await run_script(url, f'ALTER TABLE {point.table} DROP CONSTRAINT "{point.table}_user_id_fkey"')
    for statement in UNKNOWN_TO_US.format(table=point.table).split(";\n"):
        await run_script(url, statement)
    if point >= StartingPoint.CATEGORY:
        await run_script(url, UNKNOWN_CATEGORY)
    await insert_rows(url, point.table, strange_values(point))


@pytest.mark.parametrize("point", ADOPTABLE)
async def test_what_we_do_not_know_is_kept(empty_database: str, point: StartingPoint) -> None:
    await make_strange_database(empty_database, point)
    before, schema = await read_table(empty_database, point.table), await catalogue(empty_database)
    indexes = {row[0] for row in await run_sql(empty_database, INDEXES)}

    await migrate(empty_database)

    assert_taken_in(before, await read_table(empty_database, "llama_logs"))
    labels = dict(tuple(enum) for enum in (await catalogue(empty_database))["enums"])
    for name, values in schema["enums"]:
        assert [label for label in labels[name] if label in values] == values
    assert indexes - {row[0] for row in await run_sql(empty_database, INDEXES)} == set()
    checks = [row[1] for row in (await catalogue(empty_database))["constraints"]]
    assert "review_score_is_positive" in checks
    assert len(await run_sql(empty_database, "SELECT * FROM recent_logs")) == len(before.rows)


@pytest.mark.parametrize("point", ADOPTABLE)
async def test_the_application_goes_on_writing_rows_itself(empty_database: str, point: StartingPoint) -> None:
    await make_known_database(empty_database, point)
    await migrate(empty_database)
    written = {
        "operation": "enrichment:album",
        "status": "SUCCESS",
        "category": "ENRICHED",
        "job_id": "new-job",
    }
    connection = await asyncpg.connect(empty_database)
    try:
        await connection.execute(
            "INSERT INTO llama_logs (operation, status, category, job_id, sources) "
            'VALUES ($1::text, $2::text::"EnrichmentStatus", $3::text::"LlamaLogCategory", $4::text, NULL)',
            *written.values(),
        )
        row = await connection.fetchrow(
            "SELECT origin, revision, is_root_job, parent_conflict FROM llama_logs WHERE job_id = 'new-job'"
        )
    finally:
        await connection.close()
    assert tuple(row) == (None, 1, False, False)
