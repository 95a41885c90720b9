"""A table that another application made is taken over as it stands, at each point of its history."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from harness.catalogue import catalogue
from harness.databases import ALL_REVISIONS, go_to, new_database, run_sql
from harness.old_tables import POINTS, make_old_table, table_at
from llamalog_service.adoption.migration_check import NotAdoptableError
from llamalog_service.adoption.migration_runner import check_migration, current_revision, migrate


async def texts(database_url: str, table: str) -> dict[str, dict[str, str]]:
    """Every value of every row, as text."""
    rows = await run_sql(database_url, f"SELECT to_jsonb(t) AS row FROM {table} t")
    return {(row := json.loads(found["row"]))["id"]: {k: repr(v) for k, v in row.items()} for found in rows}


def values(rows: dict[str, dict[str, str]], columns: set[str]) -> dict[str, dict[str, str]]:
    return {row_id: {name: row[name] for name in columns} for row_id, row in rows.items()}


async def kept_aside(database_url: str) -> dict[str, Any]:
    rows = await run_sql(database_url, "SELECT row_id::text, parent_job_id, root_job_id FROM legacy_values")
    return {row["row_id"]: (row["parent_job_id"], row["root_job_id"]) for row in rows}


Rows = dict[str, dict[str, str]]


class Migrated(NamedTuple):
    """An old table before and after its migration; no test changes anything in its database."""

    url: str
    rows_before: Rows
    catalogue_before: dict[str, list[tuple[Any, ...]]]
    revisions: list[str]
    rows_after: Rows


async def migrated_from(url: str, point: str) -> Migrated:
    await make_old_table(url, point)
    rows, found = await texts(url, table_at(point)), await catalogue(url)
    revisions = await migrate(url)
    return Migrated(url, rows, found, revisions, await texts(url, "llama_logs"))


@pytest.fixture(scope="module", params=POINTS)
def migrated(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[Migrated]:
    with asyncio.Runner() as runner:
        database = new_database(postgres_url)
        url = runner.run(database.__aenter__())
        yield runner.run(migrated_from(url, request.param))
        runner.run(database.__aexit__(None, None, None))


async def test_every_row_and_value_of_an_old_table_is_kept(migrated: Migrated) -> None:
    before, after = migrated.rows_before, migrated.rows_after
    assert migrated.revisions == ALL_REVISIONS

    columns = set(next(iter(before.values())))
    unchanged = columns - {"parent_job_id"}
    assert values(after, unchanged) == values(before, unchanged)
    aside = await kept_aside(migrated.url)
    for row_id, row in before.items():
        overruled = row.get("is_root_job") == "True" and row["parent_job_id"] != "None"
        parent = row["parent_job_id"]
        assert after[row_id]["parent_job_id"] == ("None" if overruled else parent)
        expected = (parent if overruled else "None", row.get("root_job_id", "None"))
        assert tuple(map(repr, aside.get(row_id, (None, None)))) == expected
        assert after[row_id]["origin"] == "None"


async def test_what_is_unknown_is_kept_and_foreign_keys_go(migrated: Migrated) -> None:
    before, after = migrated.catalogue_before, await catalogue(migrated.url)
    neighbours = (
        "SELECT version_num FROM alembic_version UNION ALL SELECT migration_name FROM _prisma_migrations"
    )
    definitions = {definition.partition(" USING ")[2] for _, _, definition, _ in after["indexes"]}
    assert {definition.partition(" USING ")[2] for _, _, definition, _ in before["indexes"]} <= definitions
    checks = {definition for _, _, definition in after["constraints"]}
    assert checks >= {'CHECK (("reviewScore" > (0)::numeric))'}
    assert not any(definition.startswith("FOREIGN KEY") for definition in checks)
    enums = {name: set(labels) for name, labels in after["enums"]}
    assert all(set(labels) <= enums[name] for name, labels in before["enums"])
    assert {"COMPLETED", "ARCHIVED"} <= enums["EnrichmentStatus"]
    assert "LINKED" in enums["LlamaLogCategory"]
    assert [row[0] for row in await run_sql(migrated.url, neighbours)] == ["f00dfeed", "20250301_first"]
    assert len(await run_sql(migrated.url, "SELECT FROM recent_logs")) == 60


async def test_migrating_twice_changes_nothing(migrated: Migrated) -> None:
    once = await catalogue(migrated.url)
    assert await migrate(migrated.url) == []
    assert (await texts(migrated.url, "llama_logs"), await catalogue(migrated.url)) == (
        migrated.rows_after,
        once,
    )


async def test_an_index_that_serves_is_not_built_again_under_another_name(empty_database: str) -> None:
    await make_old_table(empty_database, "roots")
    await migrate(empty_database)
    found = [
        columns
        for table, _, definition, _ in (await catalogue(empty_database))["indexes"]
        if table == "llama_logs"
        for columns in [definition.partition(" USING ")[2].partition(" WHERE ")[0]]
    ]
    for columns in (
        "(is_root_job, created_at)",
        "(category, created_at)",
        "(root_job_id)",
        "(parent_job_id)",
    ):
        assert found.count(f"btree {columns}") == 1, columns


@pytest.mark.parametrize("point", POINTS)
async def test_the_way_down_restores_what_stood(empty_database: str, point: str) -> None:
    await make_old_table(empty_database, point)
    before = await texts(empty_database, table_at(point)), await catalogue(empty_database)
    await migrate(empty_database)
    await run_sql(
        empty_database,
        "UPDATE llama_logs SET origin = 'PENDING', root_job_id = 'computed', revision = 2 "
        "WHERE job_id IS NOT NULL",
    )
    await go_to(empty_database, "base")

    rows, found = await texts(empty_database, table_at(point)), await catalogue(empty_database)
    assert rows == before[0]
    assert found["columns"] == before[1]["columns"]
    assert found["indexes"] == before[1]["indexes"]
    not_valid = [
        (table, name, definition.removesuffix(" NOT VALID"))
        for table, name, definition in found["constraints"]
    ]
    assert not_valid == before[1]["constraints"]
    assert await migrate(empty_database) == ALL_REVISIONS


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE TABLE llama_logs (id uuid)", "both enrichment_logs and llama_logs exist"),
        ("CREATE VIEW llama_logs AS SELECT 1 AS one", "llama_logs is a view"),
        (
            "ALTER TABLE enrichment_logs DROP COLUMN parent_job_id CASCADE",
            "enrichment_logs lacks parent_job_id",
        ),
        ("CREATE TABLE backfill_runs (id uuid)", "backfill_runs exists, was not created by llamalog"),
        ("ALTER TABLE enrichment_logs DROP CONSTRAINT enrichment_logs_pkey", "id has no primary key"),
        (
            "DROP VIEW recent_logs; ALTER TABLE enrichment_logs ALTER COLUMN id TYPE text",
            "id is of type text, not uuid",
        ),
        (
            "DROP VIEW recent_logs; "
            "ALTER TABLE enrichment_logs ALTER COLUMN job_id TYPE bytea USING job_id::bytea",
            "job_id is of type bytea, not text",
        ),
        (
            "ALTER TABLE enrichment_logs ALTER COLUMN retry_count TYPE text",
            "retry_count is of type text, not integer",
        ),
        (
            "ALTER TABLE enrichment_logs ALTER COLUMN triggered_by TYPE varchar(20) "
            "USING left(triggered_by, 20)",
            "triggered_by is of type .*20.*, and events bring up to 50 characters",
        ),
        (
            "CREATE DOMAIN short AS varchar(20); "
            "ALTER TABLE enrichment_logs ALTER COLUMN triggered_by TYPE short USING left(triggered_by, 20)",
            "triggered_by is of type short, and events bring up to 50 characters",
        ),
        (
            "ALTER TABLE enrichment_logs DROP COLUMN reason CASCADE; "
            "ALTER TABLE enrichment_logs ADD COLUMN reason text GENERATED ALWAYS AS ('none') STORED",
            "reason is a generated column",
        ),
        (
            "CREATE RULE quiet AS ON UPDATE TO enrichment_logs DO INSTEAD NOTHING",
            "enrichment_logs has the rule quiet",
        ),
    ],
)
async def test_what_cannot_be_taken_over_is_refused_with_the_reason_and_nothing_changes(
    empty_database: str, statement: str, reason: str
) -> None:
    await make_old_table(empty_database, "first")
    await run_sql(empty_database, *statement.split("; "))
    before = await catalogue(empty_database)
    with pytest.raises(NotAdoptableError, match=reason):
        await migrate(empty_database)
    assert await catalogue(empty_database) == before
    assert await current_revision(empty_database) is None


@pytest.mark.parametrize("table", ["event_producers", "erasures", "retractions"])
async def test_a_table_of_its_own_with_a_name_that_llamalog_needs_is_refused_and_stays(
    empty_database: str, table: str
) -> None:
    await make_old_table(empty_database, "first")
    await run_sql(empty_database, f"CREATE TABLE {table} (id integer)")
    before = await catalogue(empty_database)
    with pytest.raises(
        NotAdoptableError, match=f"{table} exists, was not created by llamalog.*rename or drop"
    ):
        await migrate(empty_database)
    assert await catalogue(empty_database) == before


@pytest.mark.parametrize(
    "name",
    [
        "origin",
        "cycle_members",
        "parent_conflict",
        "revision",
        "recorded_at",
        "legacy_sourced",
        "settled_by",
        "producer_id",
        "traceparent",
        "erased",
        "retracted",
    ],
)
async def test_a_column_of_its_own_with_a_name_that_llamalog_needs_is_refused_until_it_is_renamed(
    empty_database: str, name: str
) -> None:
    await make_old_table(empty_database, "first")
    table = table_at("first")
    await run_sql(empty_database, f"ALTER TABLE {table} ADD COLUMN {name} integer DEFAULT 7")
    before = await catalogue(empty_database), await texts(empty_database, table)
    with pytest.raises(
        NotAdoptableError, match=f"{table} has a column {name} of its own.*rename it"
    ) as refused:
        await migrate(empty_database)
    assert "Nothing was changed" in str(refused.value)
    assert (await catalogue(empty_database), await texts(empty_database, table)) == before

    await run_sql(empty_database, f"ALTER TABLE {table} RENAME COLUMN {name} TO {name}_of_ours")
    assert await migrate(empty_database) == ALL_REVISIONS
    kept = await run_sql(empty_database, f"SELECT DISTINCT {name}_of_ours FROM llama_logs")
    assert [row[0] for row in kept] == [7]


async def test_a_wide_column_of_jobs_is_named_in_the_preview(empty_database: str) -> None:
    await make_old_table(empty_database, "first")
    await run_sql(
        empty_database,
        "DROP VIEW recent_logs",
        "ALTER TABLE enrichment_logs ALTER COLUMN job_id TYPE text",
    )
    check = await check_migration(empty_database)
    assert check.problems == ()
    (left,) = [step.what for step in check.steps if step.what.startswith("leave job_id of type text")]
    assert "more than 100 characters" in left
    assert await migrate(empty_database) == ALL_REVISIONS
