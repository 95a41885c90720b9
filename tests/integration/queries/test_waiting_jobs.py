"""Jobs that others wait for: what waits is counted up to a limit, and looked at no further."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg

from harness.legacy_rows import write_as_another
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import sql
from llamalog_service.queries.counts import read_waiting_jobs
from llamalog_service.queries.paging import OLDEST

CHILDREN, COUNTED = 400, 10


async def test_a_job_that_very_many_wait_for_costs_no_more_than_is_counted(pool: asyncpg.Pool) -> None:
    children = [(f"child-{number}", "lost") for number in range(CHILDREN)]
    await write_as_another(pool, [*children, *((f"grand{job}", job) for job, _ in children)])
    await pool.execute("UPDATE llama_logs SET origin = 'PENDING'")
    page = await read_waiting_jobs(Reader(pool))
    assert [(waiting.job, waiting.rows) for waiting in page.items] == [("lost", 2 * CHILDREN)]
    statement = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql('waiting_jobs')}"
    (found,) = json.loads(await pool.fetchval(statement, OLDEST.at, UUID(int=0), 50, COUNTED))
    walks = [node for node in nodes(found["Plan"]) if node["Node Type"] == "Recursive Union"]
    assert [walk["Actual Rows"] for walk in walks] == [COUNTED]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
