"""The history of the table, on a real PostgreSQL: it keeps rows, can be run anew, and ends as the models."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from integration.catalogue import catalogue
from llamalog_schemas.events import Category
from llamalog_service.store import schema
from llamalog_service.store.errors import DatabaseUnreachableError, MigrationFailedError, UnknownRevisionError
from llamalog_service.store.schema import current_revision, migrate, migration_engine
from llamalog_service.store.tables import LlamaLog

ALL_REVISIONS = ["0001", "0002", "0003", "0004", "0005"]


@pytest.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    async for url in new_database(postgres_url):
        yield url


@pytest.fixture
async def other_database(postgres_url: str) -> AsyncIterator[str]:
    async for url in new_database(postgres_url):
        yield url


async def new_database(postgres_url: str) -> AsyncIterator[str]:
    name = f"migrations_{uuid4().hex}"
    await run_sql(postgres_url, f"CREATE DATABASE {name}")
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    await run_sql(postgres_url, f"DROP DATABASE {name}")


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
        standing = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        up = revision != "base" and revision > (standing or "")
        (command.upgrade if up else command.downgrade)(config, revision)

    async with migration_engine(database_url).connect() as connection:
        await connection.run_sync(go)


async def test_an_empty_database_is_migrated_in_five_steps_and_then_there_is_nothing_to_do(
    empty_database: str,
) -> None:
    assert await current_revision(empty_database) is None
    assert await migrate(empty_database) == ALL_REVISIONS
    assert await current_revision(empty_database) == "0005"
    assert await migrate(empty_database) == []


async def test_autogenerate_finds_no_difference_between_a_migrated_database_and_the_models(
    empty_database: str,
) -> None:
    await migrate(empty_database)

    def differences(connection: Connection) -> Any:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), LlamaLog.metadata)

    async with migration_engine(empty_database).connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migrated_database_has_the_catalogue_of_one_made_from_the_models(
    empty_database: str, other_database: str
) -> None:
    await migrate(empty_database)
    async with migration_engine(other_database).begin() as connection:
        await connection.run_sync(LlamaLog.metadata.create_all)

    migrated, modelled = await catalogue(empty_database), await catalogue(other_database)
    for what in modelled:
        assert migrated[what] == modelled[what]


async def test_the_log_has_the_indexes_that_its_queries_need_and_no_other(empty_database: str) -> None:
    await migrate(empty_database)
    indexes = {
        name: definition.split(" USING btree ")[1]
        for table, name, definition, _ in (await catalogue(empty_database))["indexes"]
        if table == "llama_logs"
    }
    assert indexes == {
        "llama_logs_pkey": "(id)",
        "llama_logs_job_id_created_at_id_idx": "(job_id, created_at, id) WHERE (job_id IS NOT NULL)",
        "llama_logs_parent_job_id_idx": "(parent_job_id) WHERE (parent_job_id IS NOT NULL)",
        "llama_logs_root_job_id_idx": "(root_job_id) WHERE (root_job_id IS NOT NULL)",
        "llama_logs_is_root_job_created_at_idx": "(is_root_job, created_at)",
        "llama_logs_category_created_at_idx": "(category, created_at)",
        "llama_logs_album_id_created_at_idx": "(album_id, created_at) WHERE (album_id IS NOT NULL)",
        "llama_logs_unsettled_idx": (
            "(id) WHERE ((origin IS NULL) OR (origin = ANY (ARRAY['PENDING'::\"LlamaLogOrigin\", "
            "'DECLARED'::\"LlamaLogOrigin\"])))"
        ),
    }


async def test_down_to_nothing_and_up_again_ends_at_the_same_schema(empty_database: str) -> None:
    await migrate(empty_database)
    first = await catalogue(empty_database)

    await go_to(empty_database, "base")
    assert await catalogue(empty_database) == {"columns": [], "indexes": [], "constraints": [], "enums": []}

    assert await migrate(empty_database) == ALL_REVISIONS
    assert await catalogue(empty_database) == first


@pytest.mark.parametrize("revision", ALL_REVISIONS[:-1])
async def test_each_step_can_be_taken_back_and_taken_again(empty_database: str, revision: str) -> None:
    await go_to(empty_database, revision)
    before = await catalogue(empty_database)
    following = f"{int(revision) + 1:04}"
    await go_to(empty_database, following)
    after = await catalogue(empty_database)

    await go_to(empty_database, revision)
    went_back = await catalogue(empty_database)
    assert {**went_back, "enums": None} == {**before, "enums": None}

    await go_to(empty_database, following)
    assert await catalogue(empty_database) == after


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


async def test_rows_of_the_first_table_survive_every_step(empty_database: str) -> None:
    await go_to(empty_database, "0001")
    await insert_legacy_rows(empty_database)
    as_they_were = await run_sql(
        empty_database, "SELECT to_jsonb(l) AS row FROM enrichment_logs l ORDER BY id"
    )

    columns = (await catalogue(empty_database))["columns"]
    legacy_columns = ", ".join(column for _, column, *_ in columns)
    for revision in ALL_REVISIONS[1:]:
        await go_to(empty_database, revision)
        table = "enrichment_logs" if revision == "0002" else "llama_logs"
        now = await run_sql(
            empty_database,
            f"SELECT to_jsonb(l) AS row FROM (SELECT {legacy_columns} FROM {table}) l ORDER BY id",  # noqa: S608
        )
        assert now == as_they_were


async def test_legacy_rows_get_the_category_of_their_operation_before_that_of_their_status(
    empty_database: str,
) -> None:
    await go_to(empty_database, "0001")
    await insert_legacy_rows(empty_database)
    await migrate(empty_database)

    rows = await run_sql(
        empty_database,
        "SELECT operation, status::text, job_id, parent_job_id, category::text, is_root_job FROM llama_logs",
    )
    assert sorted(map(tuple, rows), key=str) == sorted(LEGACY_ROWS, key=str)


async def test_legacy_rows_have_no_origin_and_the_first_revision(empty_database: str) -> None:
    await go_to(empty_database, "0001")
    await insert_legacy_rows(empty_database)
    await migrate(empty_database)

    rows = await run_sql(
        empty_database, "SELECT DISTINCT origin, root_job_id, parent_conflict, revision FROM llama_logs"
    )
    assert [tuple(row) for row in rows] == [(None, None, False, 1)]


async def test_what_is_a_root_job_already_stays_as_it_is(empty_database: str) -> None:
    await go_to(empty_database, "0001")
    await insert_legacy_rows(empty_database)
    await run_sql(
        empty_database, "ALTER TABLE enrichment_logs ADD COLUMN is_root_job boolean NOT NULL DEFAULT true"
    )
    await migrate(empty_database)
    rows = await run_sql(empty_database, "SELECT DISTINCT is_root_job FROM llama_logs")
    assert [row["is_root_job"] for row in rows] == [True]


async def test_an_index_of_somebody_else_is_not_dropped(empty_database: str) -> None:
    await go_to(empty_database, "0001")
    await run_sql(
        empty_database,
        "DROP INDEX enrichment_logs_created_at_idx",
        "CREATE INDEX enrichment_logs_created_at_idx ON enrichment_logs (created_at)",
    )
    await migrate(empty_database)
    names = {name for _, name, *_ in (await catalogue(empty_database))["indexes"]}
    assert "enrichment_logs_created_at_idx" in names
    assert "enrichment_logs_job_id_idx" not in names


async def test_an_index_that_an_interrupted_step_left_invalid_is_built_anew(empty_database: str) -> None:
    await go_to(empty_database, "0004")
    await run_sql(
        empty_database,
        "CREATE INDEX llama_logs_album_id_created_at_idx ON llama_logs (album_id)",
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'llama_logs_album_id_created_at_idx'::regclass",
    )
    await migrate(empty_database)
    found = {
        name: (definition, valid)
        for _, name, definition, valid in (await catalogue(empty_database))["indexes"]
    }
    definition, valid = found["llama_logs_album_id_created_at_idx"]
    assert valid
    assert "(album_id, created_at)" in definition


@pytest.mark.parametrize(
    ("index", "standing_at"),
    [
        ("enrichment_logs_is_root_job_created_at_idx", "0001"),
        ("llama_logs_category_created_at_idx", "0002"),
        ("llama_logs_root_job_id_idx", "0003"),
        ("llama_logs_unsettled_idx", "0004"),
    ],
)
async def test_a_step_that_stopped_half_way_is_taken_up_where_it_stopped(
    empty_database: str, other_database: str, index: str, standing_at: str
) -> None:
    await run_sql(
        empty_database,
        f"""
        CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF current_query() LIKE '%{index}%' THEN RAISE 'no space left'; END IF;
        END $$
        """,
        "CREATE EVENT TRIGGER refuse ON ddl_command_start "
        "WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION refuse()",
    )
    with pytest.raises(MigrationFailedError, match=f"after revision {standing_at}: .*no space left"):
        await migrate(empty_database)
    await run_sql(empty_database, "DROP EVENT TRIGGER refuse", "DROP FUNCTION refuse")

    assert await migrate(empty_database) == ALL_REVISIONS[ALL_REVISIONS.index(standing_at) + 1 :]
    await migrate(other_database)
    assert await catalogue(empty_database) == await catalogue(other_database)


async def test_two_migrations_at_once_wait_for_each_other(empty_database: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(3)))
    assert sorted(applied, key=len) == [[], [], ALL_REVISIONS]


async def test_two_databases_can_be_migrated_at_once(empty_database: str, other_database: str) -> None:
    applied = await asyncio.gather(migrate(empty_database), migrate(other_database))
    assert list(applied) == [ALL_REVISIONS, ALL_REVISIONS]
    assert await catalogue(empty_database) == await catalogue(other_database)


async def test_linked_is_a_category_that_rows_can_bear(empty_database: str) -> None:
    await migrate(empty_database)
    rows = await run_sql(empty_database, 'SELECT unnest(enum_range(NULL::"LlamaLogCategory"))::text AS value')
    assert [row["value"] for row in rows] == [category.value for category in Category]


async def test_a_revision_of_a_newer_version_is_refused_and_nothing_is_changed(empty_database: str) -> None:
    await migrate(empty_database)
    await run_sql(empty_database, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(UnknownRevisionError, match=r"revision 0999.*newest is 0005"):
        await migrate(empty_database)
    assert await current_revision(empty_database) == "0999"


async def test_a_refused_step_says_why_and_keeps_the_steps_before_it(empty_database: str) -> None:
    await go_to(empty_database, "0001")
    await run_sql(empty_database, "CREATE TABLE llama_logs ()")
    with pytest.raises(MigrationFailedError, match=r'after revision 0002: .*"llama_logs" already exists'):
        await migrate(empty_database)
    assert await current_revision(empty_database) == "0002"


async def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachableError) as raised:
        await migrate("postgresql://llama:secret@127.0.0.1:1/log")
    assert "llama:***@127.0.0.1:1/log" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    missing = urlsplit(postgres_url)._replace(path="/nowhere").geturl()
    with pytest.raises(DatabaseUnreachableError, match='database "nowhere" does not exist'):
        await current_revision(missing)
