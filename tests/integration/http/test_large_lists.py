"""Lists of the API whose items are few and large: each answer is bounded in bytes."""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import httpx
import pytest

from harness.api import RunningApi
from llamalog_service.queries.paging import MAX_BYTES

COUNT: Final = 60
RUNS: Final = """
    INSERT INTO backfill_runs (id, kind, jobs, reason, status, request, requested_by, requested_at)
    SELECT gen_random_uuid(), 'backfill-roots', '{}', 'requested', 'queued', request, 'ada',
           now() - n * interval '1 s'
    FROM generate_series(1, $1::integer) n
    CROSS JOIN (
        SELECT jsonb_build_object('requestedBy', 'ada', 'scope', jsonb_build_object(
                   'kind', 'jobs', 'jobs', jsonb_agg(lpad(m::text, 4, '0') || repeat('ü', 96))
               )) AS request
        FROM generate_series(1, 1000) m
    ) large
"""
CYCLES: Final = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, origin, cycle_members)
    SELECT gen_random_uuid(), 'x', 'CREATED', 'SUCCESS', 'job-' || n, 'job-' || n + 1000, 'CYCLE',
           (SELECT array_agg(lpad(n::text, 4, '0') || lpad(m::text, 96, 'x')) FROM generate_series(1, 4000) m)
    FROM generate_series(1, $1::integer) n
"""


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url, timeout=120) as client:
        yield client


async def test_a_list_of_large_backfills_has_the_newest_of_them(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await pool.execute(RUNS, COUNT)
    answer = await client.get("/backfills?limit=500")
    assert answer.status_code == 200
    assert len(answer.content) < MAX_BYTES + 100 * 1024
    items = answer.json()["items"]
    assert 20 < len(items) < COUNT
    requested = [item["requestedAt"] for item in items]
    assert requested == sorted(requested, reverse=True)
    (first,) = (await client.get("/backfills?limit=1")).json()["items"]
    assert first == items[0]


async def test_pages_of_large_cycles_together_have_all(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await pool.execute(CYCLES, COUNT)
    found, after, pages = [], "", 0
    while True:
        answer = await client.get(f"/cycles?limit=500{after}")
        assert answer.status_code == 200
        assert len(answer.content) < MAX_BYTES + 1024 * 1024
        page = answer.json()
        found += [cycle["members"][0][:4] for cycle in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == [f"{number:04}" for number in range(1, COUNT + 1)]
    assert pages > 1
