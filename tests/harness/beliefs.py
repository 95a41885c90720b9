"""The roots that the table had at several times, held against those that its history gives for them."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from llamalog_service.postgres.statements import sql

Belief = tuple[str | None, str | None]
"""A root and its origin."""

_CHAIN = """
    WITH links AS (
        SELECT h.row_id, h.revision, h.old_root_job_id, h.old_origin,
               lag(h.root_job_id) OVER w AS before_root, lag(h.origin) OVER w AS before_origin,
               lag(h.row_id) OVER w IS NULL AS is_first
        FROM root_history h
        JOIN root_corrections c ON c.id = h.correction
        JOIN llama_logs l ON l.id = h.row_id AND l.recorded_at <= c.changed_at
        WINDOW w AS (PARTITION BY h.row_id ORDER BY h.revision)
    )
    SELECT format('row %s, revision %s: it replaced (%s, %s), and (%s, %s) was there', row_id, revision,
                  old_root_job_id, old_origin, before_root, before_origin) AS fault
    FROM links
    WHERE NOT is_first AND (old_root_job_id, old_origin) IS DISTINCT FROM (before_root, before_origin)
    UNION ALL
    SELECT format('row %s: the history ends with (%s, %s), and the table has (%s, %s)', l.id, h.root_job_id,
                  h.origin, l.root_job_id, l.origin)
    FROM llama_logs l
    JOIN LATERAL (
        SELECT h.*
        FROM root_history h
        JOIN root_corrections c ON c.id = h.correction
        WHERE h.row_id = l.id AND l.recorded_at <= c.changed_at
        ORDER BY h.revision DESC
        LIMIT 1
    ) h ON true
    WHERE (h.root_job_id, h.origin) IS DISTINCT FROM (l.root_job_id, l.origin)
    UNION ALL
    SELECT format('row %s, revision %s: the correction %s is not there', h.row_id, h.revision, h.correction)
    FROM root_history h
    WHERE NOT EXISTS (SELECT FROM root_corrections c WHERE c.id = h.correction)
"""


_AT_REVISIONS = """
    SELECT h.revision, h.old_root_job_id, h.old_origin::text
    FROM root_history h
    JOIN root_corrections c ON c.id = h.correction
    JOIN llama_logs l ON l.id = h.row_id AND l.recorded_at <= c.changed_at
    WHERE h.row_id = $1
    ORDER BY h.revision
"""


class Snapshot(NamedTuple):
    """The roots of the table at a time of the database's clock."""

    at: datetime
    roots: dict[UUID, Belief]


async def take_snapshot(pool: asyncpg.Pool) -> Snapshot:
    """The table as it is."""
    records = await pool.fetch("SELECT id, root_job_id, origin::text FROM llama_logs")
    at = await pool.fetchval("SELECT clock_timestamp()")
    return Snapshot(at, {record["id"]: (record["root_job_id"], record["origin"]) for record in records})


async def wrong_beliefs(pool: asyncpg.Pool, snapshots: list[Snapshot]) -> list[str]:
    """The rows of which the history gives another root or origin than a snapshot has."""
    ids = [record["id"] for record in await pool.fetch("SELECT id FROM llama_logs")]
    wrong = []
    for number, snapshot in enumerate(snapshots):
        records = await pool.fetch(sql("roots_as_of"), ids, snapshot.at)
        found = {record["id"]: (record["root_job_id"], record["origin"]) for record in records}
        wrong += [
            f"snapshot {number}, row {row}: {found.get(row)}, and it was {snapshot.roots.get(row)}"
            for row in sorted(found.keys() | snapshot.roots.keys())
            if found.get(row, ()) != snapshot.roots.get(row, ())
        ]
    return wrong


async def broken_chains(pool: asyncpg.Pool | asyncpg.Connection) -> list[str]:
    """Changes that replaced what the one before had not left, and last ones that the table contradicts."""
    return [record["fault"] for record in await pool.fetch(_CHAIN)]


async def beliefs_by_revision(
    pool: asyncpg.Pool | asyncpg.Connection, row: UUID, last: Belief
) -> Callable[[int], Belief]:
    """The root and origin that the history gives a row in a revision.

    Args:
        last: as the table has them.
    """
    changes = await pool.fetch(_AT_REVISIONS, row)

    def belief(revision: int) -> Belief:
        for change in changes:
            if change["revision"] > revision:
                return change["old_root_job_id"], change["old_origin"]
        return last

    return belief
