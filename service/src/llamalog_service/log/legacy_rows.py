"""Legacy rows: written and compared as texts, since a table may hold more than the types allow."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import asdict

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import sql


async def insert_legacy_rows(
    connection: asyncpg.Connection,
    rows: Sequence[tuple[LegacyContent, Root]],
    revisions: Mapping[UUID, int],
) -> int:
    """Write legacy rows and what is kept beside them in the connection's transaction, marked as sourced.

    Args:
        revisions: of rows that begin with another than the first.
    """
    values = [_columns(row) | _computed(root) | _revision(revisions.get(row.id)) for row, root in rows]
    status = await connection.execute(sql("legacy_insert"), values)
    await keep_overruled(connection, [row for row, _ in rows])
    return rows_of(status)


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


def _revision(number: int | None) -> dict[str, Any]:
    return {} if number is None else {"revision": number}
