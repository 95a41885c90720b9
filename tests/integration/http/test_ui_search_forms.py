"""What pages are requested, at the edges of what the log can hold."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from harness.api import RunningApi
from harness.legacy_rows import write_as_another

JOB = " import 7 "
"""A job's id may hold any characters, blanks at its ends too."""


@pytest.fixture
async def visitor(api: RunningApi, pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    await write_as_another(pool, [(JOB, None)])
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        yield client


async def test_a_job_is_searched_by_its_id_as_it_is_blanks_included(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/ui/jobs", params={"job": JOB})).status_code == 200
    assert (await visitor.get("/ui/jobs", params={"job": JOB.strip()})).status_code == 404
    rows = (await visitor.get("/ui/logs", params={"job": JOB})).text
    assert rows.count("data-key=") == 1
    found = await visitor.get("/ui/find", params={"q": JOB})
    assert found.headers["location"] == "/ui/jobs?job=+import+7+"


async def test_nothing_happened_before_the_first_moment_that_there_is(visitor: httpx.AsyncClient) -> None:
    for path in ("/ui", "/ui/logs"):
        for field in ("since", "until"):
            answer = await visitor.get(path, params={field: "0001-01-01"})
            assert answer.status_code == 200, answer.text
            assert ("data-key=" in answer.text) == (field == "since" and path == "/ui/logs")
