"""A wrong setting of the database ends a start with a sentence; a database that is away is waited for."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from harness.databases import run_sql
from harness.started_commands import started
from harness.waiting import eventually
from llamalog_service.adoption.migration_check import NotAdoptableError
from llamalog_service.adoption.migration_runner import _alembic_config, migrate
from llamalog_service.bootstrap import open_log, require_fit_servers
from llamalog_service.domain.errors import ExitCode, StoppedAgainError, TookTooLongError, UnavailableError
from llamalog_service.postgres.database_checks import (
    LOG,
    OWN_TABLES,
    SCHEMA_REVISION,
    DatabaseUnfitError,
    require_fit_database,
)
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.tables import METADATA
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

PASSWORD = "a-word-of-its-own"  # noqa: S105
HOSTILE_SETTINGS = {
    "statement_timeout": "500ms",
    "lock_timeout": "100ms",
    "transaction_timeout": "500ms",
    "idle_in_transaction_session_timeout": "500ms",
    "idle_session_timeout": "500ms",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kathmandu",
    "search_path": "nowhere",
    "enable_seqscan": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "standard_conforming_strings": "off",
    "quote_all_identifiers": "on",
    "exit_on_error": "on",
}


def at(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(url)})


def url_of(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def with_parts(url: str, *, user: str = "", password: str = "", path: str = "", query: str = "") -> str:
    parts = urlsplit(url)
    user, password = user or str(parts.username), password or str(parts.password)
    return parts._replace(
        netloc=f"{user}:{password}@{parts.hostname}:{parts.port}", path=path or parts.path, query=query
    ).geturl()


@asynccontextmanager
async def role(url: str, *grants: str) -> AsyncIterator[str]:
    """The URL of a user of the test's own, who was granted so much."""
    name = f"user_{uuid4().hex[:12]}"
    await run_sql(url, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    try:
        for grant in grants:
            await run_sql(url, f"{grant} TO {name}")
        yield with_parts(url, user=name, password=PASSWORD)
    finally:
        await run_sql(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


async def fault(settings: Settings, url: str, *, writes: bool = True) -> str:
    with pytest.raises(DatabaseUnfitError) as raised:
        await require_fit_database(at(settings, url), writes=writes)
    assert raised.value.exit_code is ExitCode.CONFIGURATION
    sentence = str(raised.value)
    assert sentence.endswith("Nothing was read or written.")
    assert PASSWORD not in sentence
    return sentence


async def test_a_fit_database_is_found_fit(settings: Settings) -> None:
    await require_fit_servers(settings)
    await require_fit_database(settings, writes=False)


async def test_a_wrong_password_ends_the_start(settings: Settings) -> None:
    sentence = await fault(settings, with_parts(url_of(settings), password=PASSWORD))
    assert "refuses the login: password authentication failed" in sentence
    assert "LLAMALOG_DATABASE_URL" in sentence


async def test_a_database_that_does_not_exist_ends_the_start(settings: Settings) -> None:
    assert 'database "no_such" does not exist' in await fault(
        settings, with_parts(url_of(settings), path="/no_such")
    )


async def test_a_user_who_may_not_connect_ends_the_start(settings: Settings) -> None:
    name = urlsplit(url_of(settings)).path[1:]
    await run_sql(url_of(settings), f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    async with role(url_of(settings)) as url:
        assert "permission denied for database" in await fault(settings, url)


async def test_a_database_that_is_not_migrated_ends_the_start(
    settings: Settings, empty_database: str
) -> None:
    assert "`llamalog migrate`" in await fault(settings, empty_database)
    await run_sql(url_of(settings), "UPDATE llamalog_revision SET version_num = '0007'")
    assert f"is at revision 0007, and this version of llamalog needs {SCHEMA_REVISION}" in await fault(
        settings, url_of(settings)
    )


async def test_a_database_of_a_newer_version_is_taken(settings: Settings) -> None:
    await run_sql(url_of(settings), "UPDATE llamalog_revision SET version_num = '9999'")
    await require_fit_database(settings)


async def test_lacking_privileges_are_named(settings: Settings) -> None:
    reads = ("GRANT SELECT ON ALL TABLES IN SCHEMA public",)
    async with role(url_of(settings)) as url:
        assert "SELECT on llama_logs" in await fault(settings, url, writes=False)
    async with role(url_of(settings), *reads) as url:
        await require_fit_database(at(settings, url), writes=False)
        sentence = await fault(settings, url)
        assert "INSERT on llama_logs, UPDATE on llama_logs, INSERT on consumer_positions" in sentence
        assert "DELETE on llama_logs" not in sentence
    everything = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
    async with role(url_of(settings), everything) as url:
        await require_fit_database(at(settings, url))
        name = urlsplit(url).path[1:]
        await run_sql(url_of(settings), f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        assert f"lacks privileges in the database {name}: TEMPORARY on the database" in await fault(
            settings, url
        )
        await require_fit_database(at(settings, url), writes=False)
        await run_sql(url_of(settings), f"REVOKE SELECT ON llamalog_revision FROM {urlsplit(url).username}")
        for writes in (True, False):
            assert "SELECT on llamalog_revision" in await fault(settings, url, writes=writes)


async def test_a_rule_of_the_owner_ends_the_start(settings: Settings) -> None:
    """PostgreSQL refuses every correction of a table with a rule for updates."""
    url = url_of(settings)
    await run_sql(
        url, "CREATE RULE owners AS ON UPDATE TO llama_logs WHERE new.job_id = 'x' DO INSTEAD NOTHING"
    )
    assert "has the rule owners" in await fault(settings, url)
    await require_fit_database(settings, writes=False)


@pytest.mark.parametrize(
    ("encoding", "locale"), [("LATIN1", "C"), ("SQL_ASCII", "C")], ids=["latin1", "sql-ascii"]
)
async def test_a_database_in_another_encoding_is_refused_by_every_start_and_migration(
    settings: Settings, encoding: str, locale: str
) -> None:
    url = url_of(settings)
    name = f"test_{uuid4().hex}"
    create = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE '{locale}'"
    await run_sql(url, create)
    try:
        other = with_parts(url, path=f"/{name}")
        assert f"has the encoding {encoding}, and llamalog needs UTF8" in await fault(settings, other)
        with pytest.raises(NotAdoptableError, match=f"encoding {encoding}"):
            await migrate(other)
        assert await run_sql(other, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    finally:
        await run_sql(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey"])
async def test_a_certificate_that_is_not_there_is_named(
    settings: Settings, name: str, tmp_path: Path
) -> None:
    query = f"sslmode=verify-full&{name}={tmp_path / 'missing.pem'}"
    assert f"missing.pem ({name} in LLAMALOG_DATABASE_URL) cannot be read" in await fault(
        settings, with_parts(url_of(settings), query=query)
    )


async def test_tls_that_is_required_and_not_offered_ends_the_start(settings: Settings) -> None:
    assert "PostgreSQL offers no TLS" in await fault(
        settings, with_parts(url_of(settings), query="sslmode=require")
    )


async def test_a_setting_that_postgresql_does_not_know_ends_the_start(settings: Settings) -> None:
    assert "no_such_setting" in await fault(settings, with_parts(url_of(settings), query="no_such_setting=1"))


async def test_a_pooler_that_refuses_the_settings_of_a_session_ends_the_start(settings: Settings) -> None:
    async with refusing_pooler() as port:
        url = f"postgresql://llamalog:{PASSWORD}@127.0.0.1:{port}/llamalog?sslmode=disable"
        sentence = await fault(settings, url)
    assert "unsupported startup parameter: jit" in sentence
    assert "connection pooler" in sentence


async def test_a_pooler_that_ignores_the_settings_of_a_session_ends_the_start(settings: Settings) -> None:
    async with ignoring_pooler(urlsplit(url_of(settings)).port) as port:
        url = urlsplit(url_of(settings))
        through = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{port}").geturl()
        sentence = await fault(settings, f"{through}?sslmode=disable")
    assert "jit is on" in sentence
    assert "connection pooler" in sentence


@asynccontextmanager
async def ignoring_pooler(postgres: int | None) -> AsyncIterator[int]:
    """The port of a server in front of PostgreSQL that passes on who logs in, and no setting."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        fields = start[4:].split(b"\0")
        parameters = dict(zip(fields[::2], fields[1::2], strict=False))
        kept = b"".join(name + b"\0" + parameters[name] + b"\0" for name in (b"user", b"database")) + b"\0"
        server, client = await asyncio.open_connection("127.0.0.1", postgres)
        client.write((len(kept) + 8).to_bytes(4) + start[:4] + kept)
        await asyncio.gather(pass_on(reader, client), pass_on(server, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def refusing_pooler() -> AsyncIterator[int]:
    """The port of a server that answers a start as PgBouncer does where it knows not every parameter."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        fields = b"SFATAL\0C08P01\0Munsupported startup parameter: jit\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("command", [["consumer"], ["migration-consumer"], ["api"], ["rebuild"], ["migrate"]])
async def test_a_process_that_is_refused_ends_with_code_78(settings: Settings, command: list[str]) -> None:
    wrong = at(settings, with_parts(url_of(settings), password=PASSWORD))
    environment = os.environ | wrong.as_environment()
    ended = await (await started(*command, environment=environment)).ended()
    assert ended.code == 78, ended.err
    assert "refuses the login" in ended.err
    assert PASSWORD not in ended.err + ended.out


async def test_a_database_that_is_away_is_waited_for(settings: Settings) -> None:
    with pytest.raises(UnavailableError):
        await require_fit_database(
            at(settings, f"postgresql://llamalog:{PASSWORD}@127.0.0.1:1/llamalog"), timeout=0.5
        )


async def test_a_login_refused_while_running_is_waited_for(settings: Settings) -> None:
    async with role(url_of(settings), "GRANT SELECT ON ALL TABLES IN SCHEMA public") as url:
        name = urlsplit(url).username
        tried = 0

        async with open_log(at(settings, url)) as reader:
            await reader.value("ping")
            await run_sql(
                url_of(settings),
                f"ALTER ROLE {name} PASSWORD 'another'",
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'",
            )

            async def ping() -> object:
                nonlocal tried
                tried += 1
                return await reader.value("ping")

            waiting = asyncio.create_task(retry_until_available(ping, doing="pinging"))

            async def tried_twice() -> bool:
                return tried > 2

            await eventually(tried_twice)
            assert not waiting.done()
            await run_sql(url_of(settings), f"ALTER ROLE {name} PASSWORD '{PASSWORD}'")
            await asyncio.wait_for(waiting, 60)


async def hostile(url: str) -> None:
    """Give the database's sessions every setting that could disturb."""
    name = urlsplit(url).path[1:]
    await run_sql(
        url, *(f"ALTER DATABASE {name} SET {key} = '{value}'" for key, value in HOSTILE_SETTINGS.items())
    )


@pytest.mark.parametrize("only_reads", [False, True])
async def test_settings_of_the_role_do_not_count_also_in_a_session_used_before(
    settings: Settings, only_reads: bool
) -> None:
    await hostile(url_of(settings))
    expected = {
        "statement_timeout": "1min" if only_reads else "0",
        "lock_timeout": "0",
        "transaction_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "on" if only_reads else "off",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "TimeZone": "UTC",
        "search_path": "public",
        "transform_null_equals": "off",
        "array_nulls": "on",
        "standard_conforming_strings": "on",
        "quote_all_identifiers": "off",
        "exit_on_error": "off",
    }
    async with open_pool(settings, name="test", most=1, only_reads=only_reads) as pool:
        for _ in range(2):
            found = await pool.fetch(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1)", list(expected)
            )
            assert {name: value for name, value in found} == expected  # noqa: C416 - records


async def test_a_database_with_disturbing_settings_is_migrated(empty_database: str) -> None:
    await hostile(empty_database)
    await migrate(f"{empty_database}?search_path=public")
    assert await run_sql(f"{empty_database}?search_path=public", "SELECT count(*) FROM llama_logs")


async def test_a_log_in_another_schema_is_found_by_the_search_path_of_the_url(
    settings: Settings, empty_database: str
) -> None:
    await run_sql(empty_database, "CREATE SCHEMA music")
    url = f"{empty_database}?search_path=music"
    await migrate(url)
    await require_fit_database(at(settings, url))
    assert "no log in the schemas" in await fault(settings, empty_database)


async def test_a_statement_that_is_stopped_three_times_is_not_repeated(settings: Settings) -> None:
    attempts = 0
    async with open_pool(settings, name="test", most=1) as pool:

        async def stopped() -> None:
            nonlocal attempts
            attempts += 1
            async with pool.acquire() as connection:
                await connection.execute("SET statement_timeout = '10ms'; SELECT pg_sleep(60)")

        with pytest.raises(StoppedAgainError, match="3 times in a row") as raised:
            await retry_until_available(stopped, doing="sleeping")
    assert attempts == 3
    assert isinstance(raised.value.__cause__, TookTooLongError)


def test_the_revision_and_the_tables_checked_are_those_of_the_migrations() -> None:
    assert ScriptDirectory.from_config(_alembic_config()).get_current_head() == SCHEMA_REVISION
    assert {LOG, *OWN_TABLES, "migration_journal"} == set(METADATA.tables)
