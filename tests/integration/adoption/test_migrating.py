"""Migrating as it happens: two at once, interrupted, refused, from an installed package."""

import asyncio
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from harness.catalogue import catalogue
from harness.databases import ALL_REVISIONS, DatabaseAt, run_sql
from harness.waiting import eventually
from llamalog_service.adoption.migration_runner import (
    DatabaseUnreachableError,
    MigrationFailedError,
    UnknownRevisionError,
    current_revision,
    migrate,
)
from llamalog_service.domain.errors import LoginRefusedError
from llamalog_service.postgres.statements import sql

REPOSITORY = Path(__file__).parents[3]


async def test_two_migrations_at_once_wait_for_each_other(empty_database: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(3)))
    assert sorted(applied, key=len) == [[], [], ALL_REVISIONS]


async def test_two_databases_can_be_migrated_at_once(empty_database: str, other_database: str) -> None:
    applied = await asyncio.gather(migrate(empty_database), migrate(other_database))
    assert list(applied) == [ALL_REVISIONS, ALL_REVISIONS]
    assert await catalogue(empty_database) == await catalogue(other_database)


async def test_a_revision_of_a_newer_version_is_refused_and_nothing_is_changed(database_url: str) -> None:
    await run_sql(database_url, "UPDATE llamalog_revision SET version_num = '0999'")
    with pytest.raises(UnknownRevisionError, match=r"revision 0999.*newest is 0019"):
        await migrate(database_url)
    assert await current_revision(database_url) == "0999"


async def test_a_refused_step_says_why_and_keeps_the_steps_before_it(database_at: DatabaseAt) -> None:
    database = await database_at("0001")
    await run_sql(database, 'CREATE TYPE "LlamaLogOrigin" AS (word text)')
    with pytest.raises(MigrationFailedError, match=r'after revision 0004: .*"LlamaLogOrigin" already exists'):
        await migrate(database)
    assert await current_revision(database) == "0004"


@pytest.mark.parametrize(
    ("step", "revision"),
    [
        ("enrichment_logs_is_root_job_created_at_idx", "0001"),
        ("llama_logs_category_created_at_idx", "0002"),
        ("llama_logs_root_job_id_idx", "0003"),
        ("llama_logs_unsettled_idx", "0004"),
        ("llama_logs_failures_idx", "0008"),
        ('TABLE "removed_rows" RENAME', "0011"),
        ("llama_logs_rare_categories_idx", "0012"),
    ],
)
async def test_a_step_that_stopped_half_way_is_taken_up_where_it_stopped(
    empty_database: str, database_url: str, step: str, revision: str
) -> None:
    await run_sql(
        empty_database,
        f"""
        CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF current_query() LIKE '%{step}%' THEN RAISE 'no space left'; END IF;
        END $$
        """,
        "CREATE EVENT TRIGGER refuse ON ddl_command_start "
        "WHEN TAG IN ('CREATE INDEX', 'ALTER TABLE') EXECUTE FUNCTION refuse()",
    )
    with pytest.raises(MigrationFailedError, match=f"after revision {revision}: .*no space left"):
        await migrate(empty_database)
    await run_sql(empty_database, "DROP EVENT TRIGGER refuse", "DROP FUNCTION refuse")

    assert await migrate(empty_database) == ALL_REVISIONS[ALL_REVISIONS.index(revision) + 1 :]
    assert await catalogue(empty_database) == await catalogue(database_url)


@pytest.mark.parametrize(
    ("index", "revision", "keys"),
    [
        ("llama_logs_root_job_id_hash_idx", "0012", "hashtextextended"),
        ("llama_logs_job_id_hash_created_at_idx", "0008", "hashtextextended"),
    ],
)
async def test_an_index_that_an_interrupted_step_left_invalid_is_built_anew(
    database_at: DatabaseAt, index: str, revision: str, keys: str
) -> None:
    database = await database_at(revision)
    await run_sql(
        database,
        f"CREATE INDEX {index} ON llama_logs (album_id)",
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass",
    )
    await migrate(database)
    definition, valid = (await indexes(database))[index]
    assert valid
    assert keys in definition


async def test_an_index_over_an_expression_that_serves_as_well_is_not_built_again(
    database_at: DatabaseAt,
) -> None:
    database = await database_at("0008")
    theirs = "CREATE INDEX theirs ON llama_logs (hashtextextended(job_id, 0), created_at NULLS FIRST)"
    await run_sql(database, theirs)
    await migrate(database)
    names = {
        name for name, (definition, _) in (await indexes(database)).items() if "NULLS FIRST" in definition
    }
    assert names == {"theirs"}


@pytest.mark.parametrize(
    "theirs",
    [
        "(job_id)",
        "(hashtextextended(job_id, 0), created_at)",
        "(hashtextextended(job_id, 1), created_at NULLS FIRST)",
        "(hashtextextended(job_id, 0), created_at NULLS FIRST) WHERE job_id > 'm'",
    ],
)
async def test_an_index_that_does_not_serve_has_ours_beside_it(database_at: DatabaseAt, theirs: str) -> None:
    database = await database_at("0008")
    await run_sql(database, f"CREATE INDEX theirs ON llama_logs {theirs}")
    await migrate(database)
    assert {"theirs", "llama_logs_job_id_hash_created_at_idx"} <= (await indexes(database)).keys()


async def test_an_index_over_an_expression_gets_its_statistics(database_at: DatabaseAt) -> None:
    database = await database_at("0008")
    await run_sql(
        database,
        "INSERT INTO llama_logs (id, operation, category, status, job_id) "
        "SELECT gen_random_uuid(), 'op', 'CREATED', 'SUCCESS', 'job-' || n FROM generate_series(1, 100) n",
    )
    await migrate(database)
    known = "SELECT FROM pg_stats WHERE tablename = 'llama_logs_job_id_hash_created_at_idx'"
    assert await run_sql(database, known)


async def test_rows_about_an_entity_are_found_by_their_index_where_times_have_a_zone(
    database_at: DatabaseAt,
) -> None:
    database = await database_at("0012")
    await run_sql(
        database,
        "ALTER TABLE llama_logs ALTER created_at TYPE timestamptz",
        f"ALTER DATABASE {urlsplit(database).path[1:]} SET enable_seqscan = off",
    )
    await migrate(database)
    about_one = (
        sql("names").replace("$1", "'{00000000-0000-0000-0000-000000000001}'").replace("$2", "'{ALBUM}'")
    )
    plan = await run_sql(database, f"EXPLAIN {about_one}")
    assert "llama_logs_entity_id_hash_second_idx" in str([line[0] for line in plan])


async def indexes(database_url: str) -> dict[str, tuple[str, bool]]:
    found = (await catalogue(database_url))["indexes"]
    return {name: (definition, valid) for _, name, definition, valid in found}


async def test_an_index_whose_build_ended_in_a_deadlock_is_built_anew(database_at: DatabaseAt) -> None:
    database = await database_at("0007")
    other, watcher = [await asyncpg.connect(database) for _ in range(2)]
    async with other.transaction():
        await other.execute("LOCK TABLE llama_logs IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(migrate(database))

        async def builds() -> bool:
            return bool(await watcher.fetchval(BUILDS_AND_WAITS))

        await eventually(builds)
        await other.execute("SET LOCAL deadlock_timeout = '1min'")  # so that the other side gives way
        await other.execute("ALTER TABLE llama_logs SET (fillfactor = 90)")
    assert await migrating == [
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
        "0013",
        "0014",
        "0015",
        "0016",
        "0018",
        "0019",
    ]
    assert await watcher.fetch("SELECT FROM pg_index WHERE NOT indisvalid") == []
    await other.close()
    await watcher.close()


BUILDS_AND_WAITS = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE query LIKE '%CREATE INDEX CONCURRENTLY%' AND application_name = 'llamalog migrate'
          AND wait_event = 'virtualxid' AND datname = current_database()
    )
"""


async def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachableError) as raised:
        await migrate("postgresql://llama:secret@127.0.0.1:1/log")
    assert "llama:***@127.0.0.1:1/log" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    missing = urlsplit(postgres_url)._replace(path="/nowhere").geturl()
    with pytest.raises(LoginRefusedError, match='database "nowhere" does not exist'):
        await current_revision(missing)


def run_program(*words: str | Path, directory: Path, **environment: str) -> str:
    done = subprocess.run(
        words,
        check=False,
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def unpack_wheel(directory: Path, into: Path) -> None:
    (built,) = directory.glob("*.whl")
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(into)


async def test_an_installed_service_brings_its_migrations_along(empty_database: str, tmp_path: Path) -> None:
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path)
    await asyncio.to_thread(run_program, sys.executable, *build, REPOSITORY / "service", directory=tmp_path)
    await asyncio.to_thread(unpack_wheel, tmp_path, into=tmp_path / "installed")

    program = (
        "import asyncio, sys; from llamalog_service.adoption import migration_runner; "
        "print(migration_runner.migrations_directory(), asyncio.run(migration_runner.migrate(sys.argv[1])))"
    )
    output = await asyncio.to_thread(
        run_program,
        *(sys.executable, "-c", program, empty_database),
        directory=tmp_path,
        PYTHONPATH=str(tmp_path / "installed"),
    )
    assert output.strip().endswith(
        f"{tmp_path}/installed/llamalog_service/_bundled/migrations {ALL_REVISIONS}"
    )


async def test_authors_use_alembics_own_command(empty_database: str) -> None:
    alembic = (sys.executable, "-m", "alembic", "-x", f"database_url={empty_database}")
    await asyncio.to_thread(run_program, *alembic, "upgrade", "head", directory=REPOSITORY)
    assert await current_revision(empty_database) == ALL_REVISIONS[-1]
    output = await asyncio.to_thread(run_program, *alembic, "check", directory=REPOSITORY)
    assert "No new upgrade operations detected" in output
