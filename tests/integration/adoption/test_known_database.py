"""The known database, migrated from each of its starting points: nothing lost, changed only by rule."""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from harness.catalogue import catalogue
from harness.databases import ALL_REVISIONS, go_to, new_database, run_sql
from harness.legacy.database import (
    Table,
    changed_values,
    differences,
    make_known_database,
    read_everything,
    read_kept_aside,
    read_outcome,
    read_table,
)
from harness.legacy.known import PARENTS_CLEARED, ROWS
from harness.legacy.oracle import Kept, adopted, kept_aside, taken_in
from harness.legacy.schemas import Spelling, StartingPoint
from llamalog_service.adoption.migration_runner import migrate

REVISION_OF = {
    StartingPoint.FIRST: "0001",
    StartingPoint.ROOT_FLAG: "0002",
    StartingPoint.CATEGORY: "0003",
    StartingPoint.ROOTS: "0004",
}
DATABASES: list[tuple[StartingPoint, Spelling]] = [
    (StartingPoint.FIRST, "enrichment_logs"),
    (StartingPoint.ROOT_FLAG, "camelCase"),
    (StartingPoint.CATEGORY, "enrichment_logs"),
    (StartingPoint.CATEGORY, "llama_logs"),
    (StartingPoint.ROOTS, "enrichment_logs"),
    (StartingPoint.ROOTS, "llama_logs"),
    (StartingPoint.ROOTS, "camelCase"),
]
_NEIGHBOURS = {"albums", "artists", "tracks", "users", "_prisma_migrations"}
_INDEXES = """
    SELECT regexp_replace(indexdef, '^CREATE (UNIQUE )?INDEX \\S+ ON \\S+ ', '\\1') AS what
    FROM pg_indexes WHERE tablename = ANY ('{enrichment_logs,llama_logs}')
"""
_FOREIGN_KEYS = """
    SELECT confrelid::regclass::text, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE contype = 'f' ORDER BY 1
"""


class Snapshot(NamedTuple):
    """What stands in a database, as far as a migration might touch it."""

    log: Table
    beside: dict[str, list[str]]
    indexes: set[str]
    foreign_keys: list[tuple[str, str]]


class Migrated(NamedTuple):
    """A known database before and after its migration; no test of it changes anything but the last one."""

    url: str
    point: StartingPoint
    revisions: list[str]
    before: Snapshot
    after: Snapshot
    kept: dict[str, Kept]


async def snapshot(url: str, table: str) -> Snapshot:
    return Snapshot(
        await read_table(url, table),
        {name: rows for name, rows in (await read_everything(url)).items() if name in _NEIGHBOURS},
        {row["what"] for row in await run_sql(url, _INDEXES)},
        [tuple(row) for row in await run_sql(url, _FOREIGN_KEYS)],
    )


async def migrated_from(url: str, point: StartingPoint, spelling: Spelling) -> Migrated:
    await make_known_database(url, point, spelling)
    before = await snapshot(url, point.table)
    revisions = await migrate(url)
    after = await snapshot(url, "llama_logs")
    return Migrated(url, point, revisions, before, after, await read_kept_aside(url))


@pytest.fixture(scope="module", params=DATABASES, ids=lambda made: f"{made[0].name}-{made[1]}")
def migrated(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[Migrated]:
    with asyncio.Runner() as runner:
        database = new_database(postgres_url)
        url = runner.run(database.__aenter__())
        yield runner.run(migrated_from(url, *request.param))
        runner.run(database.__aexit__(None, None, None))


def test_every_row_is_still_there_and_every_value_but_the_parents_of_root_jobs(migrated: Migrated) -> None:
    before, after = migrated.before.log, migrated.after.log
    assert migrated.revisions == ALL_REVISIONS
    assert len(after.rows) == ROWS
    assert changed_values(before, after, but=["parent_job_id"]) == []

    parents = {row_id: row["parent_job_id"] for row_id, row in after.rows.items()}
    taken = {row_id: row["parent_job_id"] for row_id, row in taken_in(before.rows.values()).items()}
    assert differences(parents, taken) == []


async def test_what_is_new_in_a_row_follows_the_rules_and_its_root_is_left_to_the_backfill(
    migrated: Migrated,
) -> None:
    before = migrated.before.log.rows
    expected = {
        row_id: row._replace(
            root_job_id=before[row_id].get("root_job_id"), origin=None, parent_conflict=False
        )
        for row_id, row in adopted(before.values()).items()
    }
    assert differences(await read_outcome(migrated.url), expected) == []


def test_what_the_rules_overrule_is_kept_aside(migrated: Migrated) -> None:
    assert differences(migrated.kept, kept_aside(migrated.before.log.rows.values())) == []
    cleared = [kept for kept in migrated.kept.values() if kept.parent_job_id is not None]
    assert len(cleared) == (PARENTS_CLEARED if migrated.point >= StartingPoint.ROOT_FLAG else 0)


def test_the_tables_of_others_are_left_alone(migrated: Migrated) -> None:
    assert migrated.before.beside.keys() == _NEIGHBOURS
    assert migrated.after.beside == migrated.before.beside


def test_no_foreign_key_leads_out_of_the_log_any_more(migrated: Migrated) -> None:
    assert len(migrated.before.foreign_keys) == 4
    assert migrated.after.foreign_keys == []


def test_every_index_that_stood_there_still_stands(migrated: Migrated) -> None:
    assert migrated.before.indexes - migrated.after.indexes == set()


async def test_for_every_index_of_ours_there_is_one_that_serves_as_well(
    migrated: Migrated, database_url: str
) -> None:
    ours = {row["what"] for row in await run_sql(database_url, _INDEXES)}
    missing = ours - migrated.after.indexes
    over_all_rows = {index.partition(" WHERE ")[0] for index in missing}
    assert over_all_rows - migrated.after.indexes == set()
    assert not any("origin" in index for index in missing)


async def test_a_second_migration_finds_nothing_to_do(migrated: Migrated) -> None:
    first = await read_everything(migrated.url), await catalogue(migrated.url)
    assert await migrate(migrated.url) == []
    assert (await read_everything(migrated.url), await catalogue(migrated.url)) == first


async def test_the_way_down_leads_back_to_what_stood_there_and_up_again_to_the_same_end(
    migrated: Migrated,
) -> None:
    """The last test of each database, for it leaves it changed."""
    made, url = migrated, migrated.url
    await run_sql(url, "DELETE FROM tracks WHERE title = 'track 7'")  # a foreign key breaks

    await go_to(url, REVISION_OF[made.point])
    back = await snapshot(url, made.point.table)
    assert set(back.log.columns) == set(made.before.log.columns)
    assert changed_values(made.before.log, back.log) == []
    assert back.indexes == made.before.indexes
    keys = [(to, what.removesuffix(" NOT VALID")) for to, what in back.foreign_keys]
    assert keys == made.before.foreign_keys

    await migrate(url)
    again = await snapshot(url, "llama_logs")
    assert changed_values(made.after.log, again.log, but=["recorded_at"]) == []
    assert again.indexes == made.after.indexes
    assert await read_kept_aside(url) == made.kept


async def test_an_empty_database_beside_other_tables_gets_an_empty_log(empty_database: str) -> None:
    await make_known_database(empty_database, StartingPoint.EMPTY)
    assert await migrate(empty_database) == ALL_REVISIONS
    after = await snapshot(empty_database, "llama_logs")
    assert after.log.rows == {}
    assert len(after.beside["albums"]) == 120
