"""The table as it stands, held against the fold; or written as the fold has it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from llamalog_schemas.events import Event
from llamalog_service.domain.fold import FoldedRow, fold
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.log.log_store import LogStore, Positions
from llamalog_service.log.row_copy import COLUMNS, add_producers, producers_of, records_of

NOTHING_READ: Final = Positions("tests", {})
"""Positions of rows that come from no topic."""

_AT_ONCE = 5_000
_EMPTY_ALL = """
    DELETE FROM llama_logs; DELETE FROM consumer_positions; DELETE FROM root_overrides;
    DELETE FROM provenance_outbox; DELETE FROM backfill_runs; DELETE FROM backfill_plan;
    DELETE FROM handled_requests; DELETE FROM legacy_values; DELETE FROM publishing_progress;
    DELETE FROM removed_rows; DELETE FROM refused_rows; DELETE FROM root_history;
    DELETE FROM root_corrections; UPDATE history_start SET kept_since = now(); DELETE FROM event_producers;
    DELETE FROM erasures; DELETE FROM retractions
"""


async def stored_rows(pool: asyncpg.Pool) -> dict[UUID, StoredRow]:
    """Every row of the table."""
    ids = [record["id"] for record in await pool.fetch("SELECT id FROM llama_logs")]
    return await LogStore(pool).rows_by_id(ids)


async def write_at_rest(
    pool: asyncpg.Pool,
    rows: Iterable[FoldedRow],
    positions: Positions = NOTHING_READ,
    *,
    at_once: int = _AT_ONCE,
) -> None:
    """Write rows as the fold has them, so many a transaction."""
    store, left = LogStore(pool), list(rows)
    while left:
        some, left = left[:at_once], left[at_once:]
        erased = [row.content.id for row in some if row.is_erased]
        contents, roots = [row.content for row in some], [row.root for row in some]
        await store.write(contents, roots, [], positions, erased=erased)
        if retracted := [row.content.id for row in some if row.is_retracted]:
            await pool.execute("UPDATE llama_logs SET retracted = true WHERE id = ANY ($1)", retracted)


async def copy_contents(
    connection: asyncpg.Connection, contents: Sequence[RowContent], roots: Sequence[Root]
) -> None:
    """Write rows in the connection's transaction, with the numbers of their producers."""
    await add_producers(connection, producers_of(contents))
    known = await connection.fetch("SELECT source, id FROM event_producers")
    numbers: dict[str | None, int | None] = {None: None, **{each["source"]: each["id"] for each in known}}
    records = records_of(contents, roots, numbers, {})
    await connection.copy_records_to_table("llama_logs", columns=COLUMNS, records=records)


async def empty_tables(pool: asyncpg.Pool) -> None:
    """As after the migrations; for few rows ten times as fast as TRUNCATE."""
    await pool.execute(_EMPTY_ALL)


def differences(stored: Mapping[UUID, StoredRow], events: Iterable[Event]) -> list[str]:
    """A line for each row that differs from the fold of the events, at most twenty."""
    expected = fold(events)
    found = {
        row_id: FoldedRow(row.content, row.root, row.erased, row.retracted) for row_id, row in stored.items()
    }
    lines = [f"{row_id} is missing" for row_id in expected.keys() - found.keys()]
    lines += [f"{row_id} should not be there" for row_id in found.keys() - expected.keys()]
    for row_id in expected.keys() & found.keys():
        if found[row_id].content != expected[row_id].content:
            lines.append(f"{row_id} has content {found[row_id].content}, not {expected[row_id].content}")
        if found[row_id].is_erased != expected[row_id].is_erased:
            lines.append(f"{row_id} is erased: {found[row_id].is_erased}, not {expected[row_id].is_erased}")
        if found[row_id].is_retracted != expected[row_id].is_retracted:
            lines.append(f"{row_id} is not retracted, or retracted, unlike {expected[row_id].is_retracted}")
        if found[row_id].root != expected[row_id].root:
            job, parent = found[row_id].content.job_id, found[row_id].content.parent_job_id
            lines.append(f"{row_id} ({job} of {parent}): {found[row_id].root}, not {expected[row_id].root}")
    return sorted(lines)[:20]
