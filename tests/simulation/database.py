"""Real PostgreSQL, one statement at a time, over connections that can break in use."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import asyncpg

from llamalog_service.postgres.errors import translated
from llamalog_service.postgres.pool import prepare_connection
from llamalog_service.postgres.statements import sql, statement_files
from llamalog_service.rebuild.ports import SCHEMA
from simulation.faults import COMMIT, STATEMENT
from simulation.world import Process, World

_TABLES = (
    "llama_logs",
    "consumer_positions",
    "root_overrides",
    "provenance_outbox",
    "backfill_runs",
    "legacy_values",
    "removed_rows",
    "refused_rows",
    "root_corrections",
    "root_history",
    "event_producers",
    "erasures",
    "retractions",
)
_EMPTY = f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; " + "; ".join(f"DELETE FROM {table}" for table in _TABLES)
_BACK_UP = "; ".join(
    f"DELETE FROM backup.{table}; INSERT INTO backup.{table} SELECT * FROM {table}" for table in _TABLES
)
_SET_BACK = (
    _EMPTY
    + "; "
    + "; ".join(
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup.{table}" for table in _TABLES
    )
)
_PREPARE = "CREATE SCHEMA backup; " + "; ".join(
    f"CREATE TABLE backup.{table} (LIKE {table} INCLUDING GENERATED); "
    f"ALTER TABLE {table} SET (autovacuum_enabled = off)"
    for table in _TABLES
)
_IN_EVERY_SESSION = {
    "timezone": "UTC",
    "jit": "off",
    "deadlock_timeout": "2ms",
    "synchronous_commit": "off",
    "client_min_messages": "warning",
    "plan_cache_mode": "force_generic_plan",
}
"""Every plan is as good for some dozen rows, and to make one takes longer than to execute it."""


class Server:
    """A database and the sessions that all runs share: to open one takes longer than to use it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: dict[bool, list[asyncpg.Connection]] = {True: [], False: []}
        self._own: asyncpg.Connection | None = None
        self._runs = 0

    async def open(self) -> None:
        self._own = await self._connect(keep_plans=True)
        await self._own.execute(_PREPARE)

    async def close(self) -> None:
        for connection in [*self._idle[True], *self._idle[False], self.own]:
            connection.terminate()

    @property
    def own(self) -> asyncpg.Connection:
        """A session of no process of the world."""
        assert self._own is not None
        return self._own

    async def begin_anew(self) -> None:
        """As after the migrations."""
        await self.own.execute(_EMPTY)
        self._runs += 1
        if self._runs % 20 == 0:
            for table in _TABLES:
                await self.own.execute(f"VACUUM {table}")

    async def back_up(self) -> None:
        await self.own.execute(_BACK_UP)

    async def set_back(self) -> None:
        await self.own.execute(_SET_BACK)

    async def blockers(self, backend: int) -> list[int]:
        """The sessions that a session waits for."""
        return list(await self.own.fetchval("SELECT pg_blocking_pids($1)", backend))

    async def lend(self, *, keep_plans: bool) -> asyncpg.Connection:
        idle = self._idle[keep_plans]
        return idle.pop() if idle else await self._connect(keep_plans=keep_plans)

    def put_back(self, connection: asyncpg.Connection, *, keep_plans: bool) -> None:
        """Take back a session that has left nothing open."""
        self._idle[keep_plans].append(connection)

    async def take_back(self, connection: asyncpg.Connection, backend: int, *, keep_plans: bool) -> None:
        """Roll back what a session has not committed, and let its locks fall."""
        if not connection.is_closed():
            await connection.reset()
            self.put_back(connection, keep_plans=keep_plans)
            return
        await self.own.execute(
            "SELECT pg_terminate_backend($1)", backend
        )  # while it waits it notices nothing
        while await self.own.fetchval("SELECT true FROM pg_stat_activity WHERE pid = $1", backend):
            pass

    async def _connect(self, *, keep_plans: bool) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._url,
            statement_cache_size=200,
            server_settings=_IN_EVERY_SESSION | {"enable_seqscan": "off" if keep_plans else "on"},
        )
        await prepare_connection(connection)
        return connection


class SimulatedPool:
    """Stands in for `postgres.pool.Pool`, errors translated alike."""

    def __init__(self, world: World, server: Server, process: Process, *, keep_plans: bool = True) -> None:
        self.world = world
        self.server = server
        self.process = process
        self._keep_plans = keep_plans
        self._lent: list[SimulatedConnection] = []
        process.at_death.append(self.break_all)

    @property
    def lent(self) -> int:
        """How many connections are in use."""
        return len(self._lent)

    async def fetch(self, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetch(*arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(*arguments)

    async def fetchrow(self, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchrow(*arguments)

    async def execute(self, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.execute(*arguments)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["SimulatedConnection"]:
        with translated():
            if self.world.loop.now < self.world.database_away_until:
                await self.world.turn(self.process, "connect")
                raise ConnectionRefusedError("the simulated PostgreSQL is away")
            lent = SimulatedConnection(self, await self._lend())
            self._lent.append(lent)
            try:
                yield lent
            finally:
                if not lent.is_broken and not self.process.is_dead:
                    await self.break_off(lent)  # as a pool does when it takes a session back

    async def _lend(self) -> asyncpg.Connection:
        async def lend() -> asyncpg.Connection:
            return await self.server.lend(keep_plans=self._keep_plans)

        await (
            self.world.alone()
        )  # a new session takes longer than an idle one: that must not decide who is next
        return await self.world.execute(self.process, lend)

    async def break_off(self, lent: "SimulatedConnection") -> None:
        """End a session: what it has not committed is rolled back."""
        lent.is_broken = True
        self._lent.remove(lent)
        if not lent.leaves_something:
            self.server.put_back(lent.real, keep_plans=self._keep_plans)
            return
        await self.world.execute(
            self.process,
            lambda: self.server.take_back(lent.real, lent.backend, keep_plans=self._keep_plans),
        )

    async def break_all(self) -> None:
        """As a server does that goes away."""
        await self.world.until_nothing_runs(self.process)
        for lent in list(self._lent):
            if not lent.is_broken:  # its user may have given it back meanwhile
                await self.break_off(lent)


class SimulatedConnection:
    """A session in the hands of a process; a transaction begins with its first statement."""

    def __init__(self, pool: SimulatedPool, real: asyncpg.Connection) -> None:
        self.real = real
        self.is_broken = False
        self.backend: int = real.get_server_pid()
        self.to_begin: list[Any] = []
        self.began_with = ""
        self._holds_lock = False
        self._pool = pool

    def is_closed(self) -> bool:
        return self.is_broken or self._pool.process.is_dead

    @property
    def leaves_something(self) -> bool:
        """Whether a transaction is open, a lock held, or the session lost."""
        return self._holds_lock or self.real.is_closed() or self.real.is_in_transaction()

    def transaction(self, **options: Any) -> "SimulatedTransaction":
        return SimulatedTransaction(self, **options)

    async def cursor(self, query: str, **_: Any) -> AsyncIterator[Any]:
        for record in await self.fetch(query):
            yield record

    async def execute(self, query: str, *arguments: Any) -> Any:
        return await self.do(STATEMENT, _named(query), lambda: self.real.execute(query, *arguments))

    async def executemany(self, query: str, arguments: Any) -> Any:
        return await self.do(STATEMENT, _named(query), lambda: self.real.executemany(query, arguments))

    async def fetch(self, query: str, *arguments: Any) -> Any:
        return await self.do(STATEMENT, _named(query), lambda: self.real.fetch(query, *arguments))

    async def fetchrow(self, query: str, *arguments: Any) -> Any:
        return await self.do(STATEMENT, _named(query), lambda: self.real.fetchrow(query, *arguments))

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        self._holds_lock |= "pg_try_advisory_lock" in query
        return await self.do(STATEMENT, _named(query), lambda: self.real.fetchval(query, *arguments))

    async def copy_records_to_table(self, table: str, **named: Any) -> Any:
        return await self.do(
            STATEMENT, f"COPY {table}", lambda: self.real.copy_records_to_table(table, **named)
        )

    async def copy_to_table(self, table: str, **named: Any) -> Any:
        return await self.do(STATEMENT, f"COPY {table}", lambda: self.real.copy_to_table(table, **named))

    async def do(self, op: str, what: str, action: Callable[[], Awaitable[Any]]) -> Any:
        """Execute something in turn, after the transactions that are to begin with it."""
        pool = self._pool

        async def execute() -> Any:
            if self.is_broken:
                raise asyncpg.InterfaceError("the simulated connection is closed")
            return await pool.world.execute(pool.process, self._begun(what, action), self.real)

        try:
            return await pool.world.step(pool.process, op, what, execute, _Broken)
        except _Broken as broken:
            if not self.is_broken:
                await pool.break_off(self)
            raise asyncpg.ConnectionDoesNotExistError("the simulated connection broke") from broken

    def _begun(self, what: str, action: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        async def begin_and_act() -> Any:
            if self.to_begin:
                self.began_with = what
            for transaction in self.to_begin:
                await transaction.start()
            self.to_begin.clear()
            return await action()

        return begin_and_act


class SimulatedTransaction:
    """A transaction whose commit is a step of its own, with an outcome that may stay unknown."""

    def __init__(self, connection: SimulatedConnection, **options: Any) -> None:
        self._connection = connection
        self._real = connection.real.transaction(**options)

    async def start(self) -> None:
        self._connection.to_begin.append(self._real)

    async def commit(self) -> None:
        if not self._never_began():
            await self._connection.do(COMMIT, self._connection.began_with, self._real.commit)

    async def rollback(self) -> None:
        if not self._never_began() and not self._connection.is_closed():
            await self._connection.do("ROLLBACK", "", self._real.rollback)

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await (self.commit() if kind is None else self.rollback())

    def _never_began(self) -> bool:
        if self._real not in self._connection.to_begin:
            return False
        self._connection.to_begin.remove(self._real)
        return True


class _Broken(Exception):
    """The connection breaks at this step."""


@cache
def _names() -> dict[str, str]:
    return {sql(name): name for name in statement_files()}


def _named(query: str) -> str:
    return _names().get(query) or " ".join(query.split())[:40]
