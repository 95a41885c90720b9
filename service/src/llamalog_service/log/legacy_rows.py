"""Legacy rows that events tell of: written from their texts, compared, and marked as told."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import asdict

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.postgres.statements import sql


async def insert_legacy_rows(
    connection: asyncpg.Connection, rows: Sequence[tuple[LegacyContent, Root]]
) -> None:
    """Write legacy rows and what is kept beside them in the connection's transaction, marked as told."""
    told = [_columns(row) | _computed(root) for row, root in rows]
    await connection.execute(sql("legacy_insert"), told)
    await keep_overruled(connection, [row for row, _ in rows])


async def keep_overruled(connection: asyncpg.Connection, rows: Iterable[LegacyContent]) -> None:
    """Keep aside what rows said of their lineage and the rules overrule."""
    kept = [(row.id, *row.overruled) for row in rows if any(said is not None for said in row.overruled)]
    if kept:
        await connection.execute(
            sql("legacy_keep_overruled"), *(list(column) for column in zip(*kept, strict=True))
        )


async def note_told(connection: asyncpg.Connection, rows: Sequence[UUID]) -> None:
    """Note in the connection's transaction that events tell of these rows."""
    await connection.execute(sql("legacy_note_told"), rows)


async def standing_as_told(pool: asyncpg.Pool, rows: Sequence[LegacyContent]) -> list[bool]:
    """Whether the table holds rows as they are told, in step; one that no table could hold it does not."""
    try:
        records = await pool.fetch(sql("legacy_equal"), [_columns(row) for row in rows])
    except RowRefusedError:
        if len(rows) == 1:
            return [False]
        return list(chain.from_iterable([await standing_as_told(pool, [row]) for row in rows]))
    standing = {record["number"] for record in records}
    return [number in standing for number in range(1, len(rows) + 1)]


def _columns(row: LegacyContent) -> dict[str, Any]:
    return dict(row.columns)


def _computed(root: Root) -> dict[str, Any]:
    return asdict(root)
