"""Writes of rows in a transaction; legacy rows are written and compared as texts."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec.structs import asdict, astuple

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import Content, RowContent
from llamalog_service.postgres.statements import sql

NO_DATA: Final = "02000"
"""The code of a row that PostgreSQL neither wrote nor refused."""

_COLUMNS: Final = (*RowContent.__struct_fields__, *Root.__struct_fields__)
_INSERT: Final = (
    f"INSERT INTO llama_logs ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(_COLUMNS) + 1))})"
)
_COUNT: Final = "SELECT count(*) FROM llama_logs WHERE id = ANY ($1::uuid[])"


class CopyRefusedError(Exception):
    """Policies apply to this role, under which PostgreSQL refuses every COPY."""


async def copy_rows(connection: asyncpg.Connection, rows: Sequence[Content], roots: Sequence[Root]) -> None:
    """Write rows in the connection's transaction: those of events by COPY, legacy rows by a statement.

    Raises:
        CopyRefusedError: `insert_rows` is needed.
        RowRefusedError: rows were dropped by a trigger.
    """

    async def copy(records: Sequence[tuple[Any, ...]]) -> int:
        try:
            status = await connection.copy_records_to_table("llama_logs", columns=_COLUMNS, records=records)
        except asyncpg.FeatureNotSupportedError as refusal:
            raise CopyRefusedError from refusal
        return rows_of(status)

    await _write(connection, rows, roots, copy)


async def insert_rows(connection: asyncpg.Connection, rows: Sequence[Content], roots: Sequence[Root]) -> None:
    """The same by INSERT, for a table with policies for this role: several times slower.

    Raises:
        RowRefusedError: rows were dropped by a trigger or a rule, or are hidden by a policy.
    """

    async def insert(records: Sequence[tuple[Any, ...]]) -> int:
        await connection.executemany(_INSERT, records)
        return int(await connection.fetchval(_COUNT, [record[0] for record in records]))

    await _write(connection, rows, roots, insert)


async def _write(
    connection: asyncpg.Connection,
    rows: Sequence[Content],
    roots: Sequence[Root],
    write: Callable[[Sequence[tuple[Any, ...]]], Awaitable[int]],
) -> None:
    made: list[tuple[Any, ...]] = []
    legacy: list[tuple[LegacyContent, Root]] = []
    for row, root in zip(rows, roots, strict=True):
        if type(row) is LegacyContent:
            legacy.append((row, root))
        else:
            made.append(astuple(row) + astuple(root))
    written = await write(made) if made else 0
    if legacy:
        written += await _insert_legacy_rows(connection, legacy)
    if written < len(rows):
        raise RowRefusedError(
            "a trigger, a rule or a policy of the table drops or hides the row without a word", NO_DATA
        )


async def _insert_legacy_rows(
    connection: asyncpg.Connection, rows: Sequence[tuple[LegacyContent, Root]]
) -> int:
    """Write legacy rows and what is kept beside them in the connection's transaction, marked as sourced."""
    values = [_columns(row) | _computed(root) for row, root in rows]
    status = await connection.execute(sql("legacy_insert"), values)
    await keep_overruled(connection, [row for row, _ in rows])
    return rows_of(status)


def rows_of(status: str) -> int:
    """How many rows a statement touched, from its command tag."""
    return int(status.rpartition(" ")[2])


async def keep_overruled(connection: asyncpg.Connection, rows: Iterable[LegacyContent]) -> None:
    """Keep the values of rows that the rules of roots overrule, in `legacy_values`."""
    kept = [(row.id, *row.overruled) for row in rows if any(value is not None for value in row.overruled)]
    if kept:
        await connection.execute(
            sql("legacy_keep_overruled"), *(list(column) for column in zip(*kept, strict=True))
        )


async def mark_sourced(connection: asyncpg.Connection, rows: Sequence[UUID]) -> None:
    """Mark rows in the connection's transaction as sourced by events."""
    await connection.execute(sql("legacy_mark_sourced"), rows)


async def legacy_rows_equal(pool: asyncpg.Pool, rows: Sequence[LegacyContent]) -> list[bool]:
    """Whether the table holds each of these rows unchanged; False for one that no table could hold."""
    try:
        records = await pool.fetch(sql("legacy_equal"), [_columns(row) for row in rows])
    except RowRefusedError:
        if len(rows) == 1:
            return [False]
        return list(chain.from_iterable([await legacy_rows_equal(pool, [row]) for row in rows]))
    equal = {record["number"] for record in records}
    return [number in equal for number in range(1, len(rows) + 1)]


def _columns(row: LegacyContent) -> dict[str, Any]:
    return dict(row.columns)


def _computed(root: Root) -> dict[str, Any]:
    return asdict(root)
