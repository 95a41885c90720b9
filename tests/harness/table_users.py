"""An application that goes on using the log's table while it is migrated, and how long it had to wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import asyncpg

_NAMES = ("enrichment_logs", "llama_logs")
_READ = "SELECT count(*) FROM (SELECT FROM {table} WHERE id >= md5($1::text)::uuid ORDER BY id LIMIT 20) l"
_UPDATE = "UPDATE {table} SET retry_count = 1 WHERE id = md5('row' || $1)::uuid"
_INSERT = """
    INSERT INTO {table} (entity_type, operation, status, job_id{columns})
    VALUES ('ALBUM', 'enrichment:live', 'SUCCESS', 'live-' || $1{values})
"""


@dataclass
class Retries:
    """Seconds that each statement took, by what it did."""

    lock_timeout: str
    pause: float
    seconds: dict[str, list[float]] = field(default_factory=dict)
    inserted: int = 0

    @property
    def longest(self) -> float:
        return max(max(times) for times in self.seconds.values())

    def __str__(self) -> str:
        lines = []
        for what, seconds in self.seconds.items():
            times = sorted(seconds)
            lines.append(
                f"{what:<8} {len(times):>7} statements, p99 {times[int(len(times) * 0.99)] * 1000:7.1f} ms, "
                f"longest {times[-1] * 1000:7.1f} ms"
            )
        return "\n".join(lines)


@asynccontextmanager
async def in_use(
    database_url: str, rows: int, *, lock_timeout: str = "0", pause: float = 0.003
) -> AsyncIterator[Retries]:
    """Read, update and insert again and again, and hold a snapshot for a second now and then.

    Args:
        lock_timeout: a setting of PostgreSQL, for the readers and writers; a machine that is busy with
            something else makes them slow, too, and does not count.
        pause: seconds between a user's statements.

    Raises:
        asyncpg.LockNotAvailableError: one of them waited longer for a lock.
    """
    waits = Retries(lock_timeout, pause)
    stopped = asyncio.Event()
    uses = [
        _use(database_url, stopped, waits, name, use)
        for name, use in (("read", _read(rows)), ("update", _update(rows)), ("insert", _insert(waits)))
    ]
    tasks = [asyncio.create_task(use) for use in [*uses, _hold_snapshots(database_url, stopped)]]
    try:
        yield waits
    finally:
        stopped.set()
        await asyncio.gather(*tasks)


Use = Callable[[asyncpg.Connection, str, int], Awaitable[Any]]


def _read(rows: int) -> Use:
    return lambda connection, table, n: connection.fetchval(_READ.format(table=table), str(n % rows))


def _update(rows: int) -> Use:
    return lambda connection, table, n: connection.execute(
        _UPDATE.format(table=table), str(1 + n * 7919 % rows)
    )


def _insert(waits: Retries) -> Use:
    """As the application of its time does: once the table has its new name, it knows the new columns."""

    async def insert(connection: asyncpg.Connection, table: str, n: int) -> None:
        known = table == "llama_logs"
        columns, values = (", category, is_root_job", ", 'CREATED', true") if known else ("", "")
        await connection.execute(_INSERT.format(table=table, columns=columns, values=values), str(n))
        waits.inserted += 1

    return insert


async def _use(database_url: str, stopped: asyncio.Event, waits: Retries, what: str, use: Use) -> None:
    connection = await asyncpg.connect(
        database_url, statement_cache_size=0, server_settings={"lock_timeout": waits.lock_timeout}
    )
    times = waits.seconds.setdefault(what, [])
    try:
        n = 0
        while not stopped.is_set():
            n += 1
            began = perf_counter()
            for table in _NAMES:
                try:
                    await use(connection, table, n)
                except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
                    continue
                break
            times.append(perf_counter() - began)
            await asyncio.sleep(waits.pause)
    finally:
        await connection.close()


async def _hold_snapshots(database_url: str, stopped: asyncio.Event) -> None:
    """A report that reads the table for a second: an exclusive session has to let others pass."""
    connection = await asyncpg.connect(database_url, statement_cache_size=0)
    try:
        while not stopped.is_set():
            async with connection.transaction():
                for table in _NAMES:
                    if await connection.fetchval("SELECT to_regclass($1)", table):
                        await connection.execute(f"SELECT FROM {table} LIMIT 1")
                await asyncio.sleep(1.0)
            await asyncio.sleep(0.5)
    finally:
        await connection.close()
