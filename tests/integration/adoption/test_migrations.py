"""The schema that the history of the table ends in is that of the models, also after a way back and forth."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from harness.catalogue import catalogue
from harness.databases import ALL_REVISIONS, DatabaseAt, go_to, run_sql
from llamalog_schemas.events import Category
from llamalog_service.adoption.migration_runner import (
    VERSION_TABLE,
    current_revision,
    migrate,
    migration_engine,
)
from llamalog_service.postgres.tables import METADATA


async def test_an_empty_database_is_migrated_step_by_step_and_then_there_is_nothing_to_do(
    empty_database: str,
) -> None:
    assert await current_revision(empty_database) is None
    assert await migrate(empty_database) == ALL_REVISIONS
    assert await current_revision(empty_database) == ALL_REVISIONS[-1]
    assert await migrate(empty_database) == []


async def test_autogenerate_finds_no_difference_between_a_migrated_database_and_the_models(
    database_url: str,
) -> None:

    def differences(connection: Connection) -> Any:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "version_table": VERSION_TABLE,
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    async with migration_engine(database_url).connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migrated_database_has_the_catalogue_of_one_made_from_the_models(
    database_url: str, other_database: str
) -> None:
    async with migration_engine(other_database).begin() as connection:
        await connection.run_sync(METADATA.create_all)

    migrated, modelled = await catalogue(database_url), await catalogue(other_database)
    for what in modelled:
        assert migrated[what] == modelled[what]


async def test_the_log_has_the_indexes_that_its_queries_need_and_no_other(database_url: str) -> None:
    indexes = {
        name: definition.split(" USING btree ")[1]
        for table, name, definition, _ in (await catalogue(database_url))["indexes"]
        if table == "llama_logs"
    }
    assert indexes == {
        "llama_logs_pkey": "(id)",
        "llama_logs_job_id_hash_created_at_idx": (
            "(hashtextextended((job_id)::text, (0)::bigint), created_at NULLS FIRST)"
        ),
        "llama_logs_parent_job_id_hash_idx": "(hashtextextended((parent_job_id)::text, (0)::bigint))",
        "llama_logs_root_job_id_hash_idx": "(hashtextextended((root_job_id)::text, (0)::bigint))",
        "llama_logs_created_at_idx": "(created_at)",
        "llama_logs_eventless_idx": (
            "(id) WHERE ((legacy_sourced IS FALSE) OR ((legacy_sourced IS NULL) AND (origin IS NULL)))"
        ),
        "llama_logs_rare_categories_idx": (
            "(category, created_at) WHERE (category <> ALL (ARRAY['CREATED'::\"LlamaLogCategory\", "
            "'ENRICHED'::\"LlamaLogCategory\"]))"
        ),
        "llama_logs_entity_id_hash_second_idx": (
            "(uuid_hash(entity_id), int4(date_part('epoch'::text, (LEAST(GREATEST(created_at, "
            "'1970-01-01 00:00:00'::timestamp without time zone), '2100-01-01 00:00:00'::timestamp without "
            "time zone) - '2035-01-01 00:00:00'::timestamp without time zone))))"
        ),
        **{
            f"llama_logs_other_{column}_idx": (
                f"({column}) WHERE (({column} IS NOT NULL) AND ({column} IS DISTINCT FROM entity_id))"
            )
            for column in ("album_id", "artist_id", "track_id")
        },
        "llama_logs_roots_idx": (
            "(created_at) WHERE (origin = ANY (ARRAY['ROOT'::\"LlamaLogOrigin\", "
            "'ADOPTED'::\"LlamaLogOrigin\"]))"
        ),
        "llama_logs_unknown_origin_idx": "(origin, created_at, id) WHERE (root_job_id IS NULL)",
        "llama_logs_failures_idx": (
            "(root_job_id, created_at) WHERE ((root_job_id IS NOT NULL) AND "
            "((category = 'FAILED'::\"LlamaLogCategory\") OR (status = 'FAILED'::\"EnrichmentStatus\")))"
        ),
        "llama_logs_unsettled_idx": (
            "(id) WHERE ((origin IS NULL) OR (origin = ANY (ARRAY['PENDING'::\"LlamaLogOrigin\", "
            "'DECLARED'::\"LlamaLogOrigin\"])))"
        ),
        "llama_logs_conflicts_idx": (
            "(created_at, id) WHERE (parent_conflict OR ((declared_root_job_id)::text <> (root_job_id)::text)"
            " OR (origin = 'CYCLE'::\"LlamaLogOrigin\"))"
        ),
        "llama_logs_to_normalise_idx": (
            "(id) WHERE ((origin IS NULL) AND is_root_job AND (parent_job_id IS NOT NULL))"
        ),
        "llama_logs_producer_id_idx": "(producer_id)",
        "llama_logs_trace_id_hash_idx": (
            "(hashtextextended(substr(traceparent, 4, 32), (0)::bigint)) WHERE (traceparent IS NOT NULL)"
        ),
    }


async def test_down_to_nothing_and_up_again_ends_at_the_same_schema(database_url: str) -> None:
    first = await catalogue(database_url)

    await go_to(database_url, "base")
    assert await catalogue(database_url) == {"columns": [], "indexes": [], "constraints": [], "enums": []}

    assert await migrate(database_url) == ALL_REVISIONS
    assert await catalogue(database_url) == first


@pytest.mark.parametrize("revision", ALL_REVISIONS[:-1])
async def test_each_step_can_be_taken_back_and_taken_again(database_at: DatabaseAt, revision: str) -> None:
    database = await database_at(revision)
    before = await catalogue(database)
    following = ALL_REVISIONS[ALL_REVISIONS.index(revision) + 1]
    await go_to(database, following)
    after = await catalogue(database)

    await go_to(database, revision)
    went_back = await catalogue(database)
    assert {**went_back, "enums": None} == {**before, "enums": None}

    await go_to(database, following)
    assert await catalogue(database) == after


async def test_linked_is_a_category_that_rows_can_bear(database_url: str) -> None:
    rows = await run_sql(database_url, 'SELECT unnest(enum_range(NULL::"LlamaLogCategory"))::text AS value')
    assert [row["value"] for row in rows] == [category.value for category in Category]
