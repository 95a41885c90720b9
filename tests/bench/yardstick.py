"""The yardstick: COPY of the same rows into an empty table like `llama_logs`, with all its indexes.

As fast as asyncpg can: records prepared before the clock starts, JSON as bytes, ids as the driver's own type.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pgproto.pgproto import UUID as DriverUUID

from bench.costs import cpu_seconds
from llamalog_service.domain.fold import FoldedRow
from llamalog_service.domain.rows import Content, RowContent
from llamalog_service.log.row_copy import COLUMNS as ROW_COLUMNS
from llamalog_service.log.row_copy import records_of

BATCH_SIZES = (1_000, 5_000, 20_000)
COLUMNS = (*ROW_COLUMNS, "recorded_at")
_TABLE = "copied_logs"

Records = list[tuple[Any, ...]]


class Copied(NamedTuple):
    """One COPY of all rows: its batch size, seconds, and PostgreSQL's CPU seconds."""

    batch: int
    seconds: float
    postgres_cpu: float


def copy_records(rows: Iterable[FoldedRow]) -> Records:
    """Rows as they are given to COPY; the first revision of each, recorded now."""
    now = datetime.now(UTC)
    contents, roots = [], []
    for row in rows:
        assert isinstance(row.content, RowContent)
        contents.append(row.content)
        roots.append(row.root)
    records = records_of(contents, roots, numbers_of(contents), {})
    return [(*map(_driver_value, record), now) for record in records]


def numbers_of(contents: Iterable[Content]) -> dict[str | None, int | None]:
    """A number for each producer, from 1; None for none."""
    producers: dict[str | None, int | None] = {None: None}
    for content in contents:
        if type(content) is RowContent:
            producers.setdefault(content.producer, len(producers))
    return producers


async def add_numbers(database: asyncpg.Connection, producers: Mapping[str | None, int | None]) -> None:
    """Have a database know producers by these numbers."""
    known = [(number, source) for source, number in producers.items() if source is not None]
    await database.executemany(
        "INSERT INTO event_producers (id, source) OVERRIDING SYSTEM VALUE VALUES ($1, $2) "
        "ON CONFLICT DO NOTHING",
        known,
    )


def _driver_value(value: Any) -> Any:
    match value:
        case UUID():
            return DriverUUID(value.bytes)
        case Enum():
            return value.value
        case dict():
            return b"\x01" + msgspec.json.encode(value)
        case _:
            return value


async def connect_for_copying(database_url: str) -> asyncpg.Connection:
    """A connection that takes JSON as bytes."""
    connection = await asyncpg.connect(database_url)
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=lambda value: value, decoder=bytes
    )
    return connection


async def copy_all(database_url: str, records: Records, batch: int, postgres_pid: int) -> Copied:
    """COPY the records into a new table, one transaction a batch, and drop it again."""
    connection = await connect_for_copying(database_url)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        await connection.execute(f"CREATE TABLE {_TABLE} (LIKE llama_logs INCLUDING ALL)")
        batches = [records[start : start + batch] for start in range(0, len(records), batch)]
        servers = {"PostgreSQL": postgres_pid}
        cpu = cpu_seconds(servers)["PostgreSQL"]
        start = time.perf_counter()
        for share in batches:
            await connection.copy_records_to_table(_TABLE, columns=COLUMNS, records=share)
        seconds = time.perf_counter() - start
        cpu = cpu_seconds(servers)["PostgreSQL"] - cpu
        copied = await connection.fetchval(f"SELECT count(*) FROM {_TABLE}")
        if copied != len(records):
            raise AssertionError(f"COPY wrote {copied} of {len(records)} rows")
        await connection.execute(f"DROP TABLE {_TABLE}")
        return Copied(batch, seconds, cpu)
    finally:
        await connection.close()
