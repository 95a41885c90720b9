"""What stood in the table before a step stands there after it."""

from uuid import uuid4

import asyncpg

from harness.catalogue import catalogue
from harness.databases import ALL_REVISIONS, DatabaseAt, go_to, run_sql
from llamalog_service.adoption.migration_runner import migrate

LEGACY_ROWS = [
    # operation, status, job, parent → category, is_root_job
    ("cache:album-cover", "FAILED", "j1", None, "CACHED", True),
    ("admin_correction", "FAILED", None, None, "CORRECTED", False),
    ("admin_corrections", "SUCCESS", None, None, "CREATED", False),
    ("enrichment:album", "FAILED", "j2", "j1", "ENRICHED", False),
    ("check:artist", "SUCCESS", "j3", None, "ENRICHED", True),
    ("musicbrainz:search", "NO_DATA_AVAILABLE", "j4", None, "ENRICHED", True),
    ("spotify:import", "PARTIAL_SUCCESS", "j5", None, "ENRICHED", True),
    ("discogs:lookup", "SKIPPED", None, "j5", "ENRICHED", False),
    ("PREVIEW_ENRICHMENT", "PREVIEW", "j6", None, "ENRICHED", True),
    ("PREVIEW", "PREVIEW", "j6", None, "CREATED", True),
    ("track:created:enrichment", "FAILED", "j7", "j2", "FAILED", False),
    ("track:created:enrichment", "SUCCESS", "j7", "j2", "CREATED", False),
    ("album:cache:cover", "COMPLETED", None, None, "CREATED", False),
]


async def insert_legacy_rows(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.executemany(
            "INSERT INTO enrichment_logs (id, operation, status, job_id, parent_job_id, sources, metadata) "
            "VALUES ($1, $2, $3, $4, $5, '{MUSICBRAINZ}', '{\"n\": 1}')",
            [(uuid4(), *row[:4]) for row in LEGACY_ROWS],
        )
    finally:
        await connection.close()


async def test_rows_of_the_first_table_survive_every_step(database_at: DatabaseAt) -> None:
    database = await database_at("0001")
    await insert_legacy_rows(database)
    as_they_were = await run_sql(database, "SELECT to_jsonb(l) AS row FROM enrichment_logs l ORDER BY id")

    columns = (await catalogue(database))["columns"]
    legacy_columns = ", ".join(column for table, column, *_ in columns if table == "enrichment_logs")
    for revision in ALL_REVISIONS[1:]:
        await go_to(database, revision)
        table = "enrichment_logs" if revision == "0002" else "llama_logs"
        now = await run_sql(
            database,
            f"SELECT to_jsonb(l) AS row FROM (SELECT {legacy_columns} FROM {table}) l ORDER BY id",
        )
        assert now == as_they_were


async def test_legacy_rows_get_the_category_of_their_operation_before_that_of_their_status(
    database_at: DatabaseAt,
) -> None:
    database = await database_at("0001")
    await insert_legacy_rows(database)
    await migrate(database)

    rows = await run_sql(
        database,
        "SELECT operation, status::text, job_id, parent_job_id, category::text, is_root_job FROM llama_logs",
    )
    assert sorted(map(tuple, rows), key=str) == sorted(LEGACY_ROWS, key=str)


async def test_legacy_rows_have_no_origin_and_the_first_revision(database_at: DatabaseAt) -> None:
    database = await database_at("0001")
    await insert_legacy_rows(database)
    await migrate(database)

    rows = await run_sql(
        database, "SELECT DISTINCT origin, root_job_id, parent_conflict, revision FROM llama_logs"
    )
    assert [tuple(row) for row in rows] == [(None, None, False, 1)]


async def test_what_is_a_root_job_already_stays_as_it_is(database_at: DatabaseAt) -> None:
    database = await database_at("0001")
    await insert_legacy_rows(database)
    await run_sql(
        database, "ALTER TABLE enrichment_logs ADD COLUMN is_root_job boolean NOT NULL DEFAULT true"
    )
    await migrate(database)
    rows = await run_sql(database, "SELECT DISTINCT is_root_job FROM llama_logs")
    assert [row["is_root_job"] for row in rows] == [True]


async def test_an_index_of_another_program_is_not_dropped(database_at: DatabaseAt) -> None:
    database = await database_at("0001")
    await run_sql(
        database,
        "DROP INDEX enrichment_logs_created_at_idx",
        "CREATE INDEX enrichment_logs_created_at_idx ON enrichment_logs (created_at)",
    )
    await migrate(database)
    names = {name for _, name, *_ in (await catalogue(database))["indexes"]}
    assert "enrichment_logs_created_at_idx" in names
    assert "enrichment_logs_job_id_idx" not in names
