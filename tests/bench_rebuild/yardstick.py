"""The yardstick: COPY of the same rows, in PostgreSQL's binary form, into the same table; then its indexes.

No Python touches a row: PostgreSQL wrote the file, and it is sent as it is.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench.costs import cpu_seconds
from bench.servers import Servers, settle_disk
from llamalog_service.postgres.statements import sql

_EMPTY = "TRUNCATE llama_logs, root_overrides, legacy_values, consumer_positions"


class Copied(NamedTuple):
    """One COPY of all rows, and the building of their indexes, in seconds; PostgreSQL's CPU seconds."""

    copying: float
    indexing: float
    postgres_cpu: float

    @property
    def seconds(self) -> float:
        """Both."""
        return self.copying + self.indexing


async def dump(database_url: str, file: Path) -> int:
    """Write the rows of a database's log to a file; how many there are."""
    async with _connected(database_url) as connection:
        await connection.copy_from_table("llama_logs", output=file, format="binary")
        rows: int = await connection.fetchval("SELECT count(*) FROM llama_logs")
        return rows


async def empty(database_url: str, servers: Servers) -> None:
    """Leave a database as it was before anything was recorded."""
    async with _connected(database_url) as connection:
        await connection.execute(_EMPTY)
    await settle_disk(servers.postgres)


async def copy_and_index(database_url: str, file: Path, servers: Servers) -> Copied:
    """COPY the file into the empty log, which has its primary key alone, and build the other indexes."""
    await empty(database_url, servers)
    async with _connected(database_url) as connection:
        indexes = await connection.fetch(sql("initial_load_indexes"))
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        await connection.execute("SET maintenance_work_mem = '256MB'")
        cpu = cpu_seconds(servers.pids())["PostgreSQL"]
        began = time.perf_counter()
        await connection.copy_to_table("llama_logs", source=file, format="binary")
        copied = time.perf_counter()
        for index in indexes:
            await connection.execute(index["definition"])
        indexed = time.perf_counter()
        cpu = cpu_seconds(servers.pids())["PostgreSQL"] - cpu
        return Copied(copied - began, indexed - copied, cpu)


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, command_timeout=3600)
    try:
        yield connection
    finally:
        await connection.close()
