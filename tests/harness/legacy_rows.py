"""Rows as another writer puts them into the log: without origin, without root."""

from collections.abc import Iterable, Mapping
from uuid import UUID, uuid5

import asyncpg

_INSERT = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job, created_at)
    VALUES ($1, 'album:created', 'CREATED', 'SUCCESS', $2::varchar, $3::varchar,
        $2::varchar IS NOT NULL AND $3::varchar IS NULL,
        '2026-02-10 10:00:00'::timestamp + make_interval(secs => $4))
"""
_SPACE = UUID(int=1)

JobAndParent = tuple[str | None, str | None]


async def write_as_another(pool: asyncpg.Pool, rows: Iterable[JobAndParent]) -> None:
    """Put rows into the log, a second after each other; no sweep has seen their roots yet."""
    values = [
        (uuid5(_SPACE, f"{number} {job} {parent}"), job, parent, number)
        for number, (job, parent) in enumerate(rows)
    ]
    async with pool.acquire() as connection, connection.transaction():
        await connection.executemany(_INSERT, values)


def families(number: int) -> list[JobAndParent]:
    """So many times five rows: a root, two below it, one below a job never logged, one without a job."""
    return [
        row
        for family in range(number)
        for row in (
            (f"root-{family}", None),
            (f"child-{family}", f"root-{family}"),
            (f"grandchild-{family}", f"child-{family}"),
            (f"orphan-{family}", f"lost-{family}"),
            (None, None),
        )
    ]


async def origins(pool: asyncpg.Pool) -> Mapping[str | None, int]:
    """How many rows there are of each origin."""
    records = await pool.fetch("SELECT origin::text, count(*) FROM llama_logs GROUP BY 1")
    return {record["origin"]: record["count"] for record in records}
