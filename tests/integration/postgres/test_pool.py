"""The pool translates the driver's errors, in its own calls as in blocks that hold a connection."""

import socket
import time
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr

from llamalog_service.domain.errors import RowExistsError, RowRefusedError, RowsLockedError, UnavailableError
from llamalog_service.postgres.errors import translated
from llamalog_service.postgres.pool import create_pool, open_pool, shared_types
from llamalog_service.settings import DatabaseSettings


@pytest.fixture
async def pool(empty_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with create_pool(empty_database, max_size=2) as pool:
        await pool.execute("CREATE TABLE rows (id int PRIMARY KEY CHECK (id > 0))")
        yield pool


async def test_calls_of_the_pool_raise_the_errors_of_the_service(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO rows VALUES (1)")
    with pytest.raises(RowExistsError):
        await pool.execute("INSERT INTO rows VALUES (1)")
    with pytest.raises(RowRefusedError, match="check"):
        await pool.fetch("INSERT INTO rows VALUES (-1) RETURNING id")
    with pytest.raises(UnavailableError, match="UndefinedTableError"):
        await pool.fetchval("SELECT count(*) FROM missing")


async def test_within_a_block_the_driver_raises_and_at_its_end_the_service(pool: asyncpg.Pool) -> None:
    with pytest.raises(RowRefusedError) as raised:
        async with pool.acquire() as connection, connection.transaction():
            with pytest.raises(asyncpg.CheckViolationError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO rows VALUES (0)")
            await connection.copy_records_to_table("rows", records=[(2,), (0,)])
    assert isinstance(raised.value.__cause__, asyncpg.CheckViolationError)
    assert await pool.fetchval("SELECT count(*) FROM rows") == 0


async def test_other_errors_pass_as_they_are(pool: asyncpg.Pool) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError) as raised:
        async with pool.acquire():
            raise error
    assert raised.value is error


async def test_a_connection_that_breaks_between_two_statements_is_away(pool: asyncpg.Pool) -> None:
    with pytest.raises(UnavailableError):
        async with pool.acquire() as connection, connection.transaction():
            await pool.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            for _ in range(2):
                try:
                    await connection.fetch("SELECT 1")
                except asyncpg.PostgresConnectionError:
                    continue


async def test_rows_of_another_session_are_locked(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO rows VALUES (1)")
    async with pool.acquire() as other, other.transaction():
        await other.execute("DELETE FROM rows")
        with pytest.raises(RowsLockedError):
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = 10")
                await connection.execute("DELETE FROM rows")


async def test_a_server_that_is_away_is_unavailable() -> None:
    async with create_pool("postgresql://none@127.0.0.1:1/nothing", timeout=1) as pool:
        with pytest.raises(UnavailableError):
            await pool.fetch("SELECT 1")


async def test_a_missing_privilege_is_no_fault_of_a_row(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE pg_monitor")
        with pytest.raises(UnavailableError, match="permission denied"), translated():
            await connection.execute("INSERT INTO rows VALUES (1)")


async def test_both_sides_of_a_connection_notice_that_the_other_has_vanished(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        end = connection._transport.get_extra_info("socket")
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle, interval, count = (
            end.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * count <= 60
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


async def test_postgresql_notices_that_a_process_has_vanished(
    empty_database: str,
) -> None:
    settings = DatabaseSettings(database_url=SecretStr(empty_database))
    async with open_pool(settings, name="tests") as pool:
        idle, interval, count, unanswered = [
            int(await pool.fetchval("SELECT setting FROM pg_settings WHERE name = $1", f"tcp_{name}"))
            for name in ("keepalives_idle", "keepalives_interval", "keepalives_count", "user_timeout")
        ]
    assert 0 < idle + interval * count <= 60
    assert unanswered == 60_000


async def test_types_are_looked_up_once_for_all_sessions_of_a_database(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[set[int]] = []
    introspect = asyncpg.Connection._introspect_types

    async def count(session: asyncpg.Connection, oids: set[int], timeout: float | None) -> object:
        looked_up.append(set(oids))
        return await introspect(session, oids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", count)
    async with create_pool(empty_database, max_size=3) as one, create_pool(empty_database) as other:
        await one.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        async with one.acquire() as first, one.acquire() as second, other.acquire() as third:
            for session in (first, second, third):
                found = await session.fetchrow("SELECT 'good'::mood, ARRAY['bad']::mood[], $1::uuid[]", [])
                assert list(found) == ["good", ["bad"], []]
    assert len(looked_up) == 1


async def test_types_of_a_database_that_was_replaced_are_looked_up_anew(empty_database: str) -> None:
    async with create_pool(empty_database, max_size=1) as pool:
        await pool.execute("CREATE TYPE kind AS ENUM ('one'); CREATE DOMAIN kinds AS int[]")
        assert list(await pool.fetchrow("SELECT 'one'::kind")) == ["one"]
        await pool.execute("DROP TYPE kind; CREATE TYPE kind AS ENUM ('one', 'two')")
        await pool.expire_connections()
        shared = shared_types(empty_database)
        known = shared.find(())
        assert known
        assert list(await pool.fetchrow("SELECT 'two'::kind, '{2}'::kinds")) == ["two", [2]]
        assert {found["oid"] for found in known if found["name"] == "kind"}.isdisjoint(
            found["oid"] for found in shared.find(()) or ()
        )


async def test_json_full_of_tiny_numbers_is_read_faster_than_by_its_decoder_alone(
    empty_database: str,
) -> None:
    """PostgreSQL writes 5e-324 with all its digits."""
    numbers = "to_jsonb(array_fill(5e-324::numeric, ARRAY[20000]))"
    async with create_pool(empty_database) as pool:
        text = await pool.fetchval(f"SELECT {numbers}::text")
        began = time.process_time()
        found = await pool.fetchval(f"SELECT {numbers}")
        read = time.process_time()
        expected = msgspec.json.decode(text)
    assert found == expected == [5e-324] * 20000
    assert read - began < 0.7 * (time.process_time() - read)


async def test_json_with_a_number_that_no_float_holds_stays_text(empty_database: str) -> None:
    async with create_pool(empty_database) as pool:
        for number in ("1e400", "1e400 + 0.5"):
            found = await pool.fetchval(f"SELECT jsonb_build_array({number}, 1)")
            text = await pool.fetchval(f"SELECT jsonb_build_array({number}, 1)::text")
            assert msgspec.json.encode(found).decode().replace(" ", "") == text.replace(" ", "")
