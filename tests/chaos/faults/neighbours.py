"""What other programs and administrators do to a database: locks, limits, cancelling, passwords."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import asyncpg

from chaos.fault import AWAY, TRIES, Fault
from chaos.scene import Scene

_SERVER_IS_FULL = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)
_GUESTS_AT_ONCE = 10
_OURS = "datname = current_database() AND application_name LIKE 'llamalog %'"
_END_OURS = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS}"
_CANCEL_OURS = f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {_OURS} AND state <> 'idle'"
_SOME_ROWS = """
    SELECT id FROM llama_logs WHERE id = ANY (ARRAY(SELECT id FROM llama_logs ORDER BY random() LIMIT 100))
    ORDER BY id {} FOR UPDATE
"""
_EVERY_POSITION = "SELECT FROM consumer_positions ORDER BY topic, partition {} FOR UPDATE"
_LIMITS = {
    "statement_timeout": "20ms",
    "lock_timeout": "20ms",
    "idle_in_transaction_session_timeout": "20ms",
    "idle_session_timeout": "100ms",
    "transaction_timeout": "50ms",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "search_path": "nowhere",
}


async def lock_the_table(scene: Scene, _: Random) -> None:
    async with scene.administrator() as database, database.transaction():
        await database.execute("LOCK TABLE llama_logs IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(AWAY)


async def queue_behind_a_reader(scene: Scene, _: Random) -> None:
    """A migration of another program waits for a long read, and everything else behind the migration."""
    async with _guest(scene) as reader, _guest(scene) as migration:
        async with reader.transaction():
            await reader.fetchval("SELECT count(*) FROM llama_logs")
            added = asyncio.create_task(migration.execute("ALTER TABLE llama_logs ADD COLUMN noted text"))
            await asyncio.sleep(AWAY)
        await added


async def lock_rows(scene: Scene, dice: Random) -> None:
    """Rows and positions, in an order in which others do not lock them: deadlocks are part of it."""
    async with _guest(scene) as guest:
        for _ in range(TRIES):
            try:
                async with guest.transaction():
                    await guest.execute(_SOME_ROWS.format("DESC"))
                    await guest.execute(_EVERY_POSITION.format("DESC"))
                    await asyncio.sleep(dice.uniform(0.5, 1.5))
                    await guest.execute(_SOME_ROWS.format("ASC"))
            except asyncpg.DeadlockDetectedError:
                continue


async def take_every_connection(scene: Scene, _: Random) -> None:
    guests: list[asyncpg.Connection] = []
    async with scene.administrator() as database:
        loop = asyncio.get_running_loop()
        try:
            await _fill(scene, guests)
            ends = loop.time() + AWAY
            while loop.time() < ends:
                await database.execute(_END_OURS)
                await _fill(scene, guests)
        finally:
            for guest in guests:
                guest.terminate()


async def limit_the_role(scene: Scene, _: Random) -> None:
    """Limits of the role in the database, for every session that begins."""
    async with scene.administrator() as database:
        of_role = await database.fetchval(
            "SELECT format('ALTER ROLE %I IN DATABASE %I ', current_user, current_database())"
        )
        for name, value in _LIMITS.items():
            await database.execute(f"{of_role} SET {name} = '{value}'")
        try:
            scene.wire.sever()
            await scene.until_published(0.9)
        finally:
            await database.execute(f"{of_role} RESET ALL")


async def cancel_statements(scene: Scene, dice: Random) -> None:
    async with scene.administrator() as database:
        loop = asyncio.get_running_loop()
        ends = loop.time() + AWAY
        while loop.time() < ends:
            await database.execute(_CANCEL_OURS)
            await asyncio.sleep(dice.uniform(0.0, 0.1))


async def change_the_password(scene: Scene, _: Random) -> None:
    """A rotation that the service hears of late: sessions end, logins are refused."""
    async with scene.administrator() as database:
        verifier = await database.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = current_user")
        try:
            await database.execute("ALTER ROLE current_user PASSWORD 'another'")
            await database.execute(_END_OURS)
            await asyncio.sleep(AWAY)
        finally:
            await database.execute(f"ALTER ROLE current_user PASSWORD '{verifier}'")


async def _fill(scene: Scene, guests: list[asyncpg.Connection]) -> None:
    """Take connections until PostgreSQL has none left."""
    while True:
        direct = [asyncpg.connect(scene.direct_url) for _ in range(_GUESTS_AT_ONCE)]
        came = await asyncio.gather(*direct, return_exceptions=True)
        guests += [one for one in came if isinstance(one, asyncpg.Connection)]
        refused = [one for one in came if isinstance(one, BaseException)]
        for error in refused:
            if not isinstance(error, _SERVER_IS_FULL):
                raise error
        if refused:
            return


@asynccontextmanager
async def _guest(scene: Scene) -> AsyncIterator[asyncpg.Connection]:
    """A session of another program."""
    connection = await asyncpg.connect(scene.direct_url)
    try:
        yield connection
    finally:
        await connection.close()


FAULTS = (
    Fault("lock", f"llama_logs locked by another session for {AWAY:.0f} s", lock_the_table),
    Fault(
        "alter-queue",
        f"another program's ALTER TABLE waits {AWAY:.0f} s for a reader, everything behind it",
        queue_behind_a_reader,
    ),
    Fault("row-locks", f"rows and positions locked in another order, {TRIES} times", lock_rows),
    Fault(
        "max-connections",
        f"every session ended and every connection taken by others for {AWAY:.0f} s",
        take_every_connection,
    ),
    Fault("role-limits", "time limits, read-only and isolation set on the role", limit_the_role),
    Fault("cancelled", f"every statement cancelled for {AWAY:.0f} s", cancel_statements),
    Fault("password-changed", f"another password for {AWAY:.0f} s, sessions ended", change_the_password),
)
