"""Explanations and lineages as of a time, over the API and as pages."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import httpx
import pytest

from harness.api import RunningApi, got
from harness.pages import Browser
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event
from integration.http.ui_log import HOSTILE_JOB, about

TRACK = UUID(int=1_000_001)


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        yield client


@pytest.fixture
async def pending(pool: asyncpg.Pool) -> datetime:
    """A child whose parent came late; the time in between."""
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "child", "top"))
    between: datetime = await pool.fetchval("SELECT clock_timestamp()")
    await Writer(pool, kept).write(event(2, "top"), event(3, "child", "rival"))
    await Recomputer(pool, kept).settle()
    return between


@pytest.mark.usefixtures("pending")
async def test_a_row_and_its_job_are_explained(client: httpx.AsyncClient) -> None:
    row = await got(client, f"/logs/{UUID(int=1)}/explanation")
    assert (row["root"], row["origin"], row["storedRoot"]) == ("top", "RESOLVED", "top")
    assert [step["job"] for step in row["steps"]] == ["child", "top"]
    assert [(claim["named"], claim["counts"]) for claim in row["steps"][0]["claims"]] == [
        ("top", True),
        ("rival", False),
    ]
    (change,) = row["history"]["changes"]
    assert (change["oldOrigin"], change["origin"], change["cause"]) == ("PENDING", "RESOLVED", "recompute")
    assert await got(client, "/explanation", job="child") == row
    unseen = await got(client, "/explanation", job="rival")
    assert (unseen["row"], unseen["origin"], unseen["history"]) == (None, "PENDING", None)
    for path in (f"/logs/{UUID(int=99)}/explanation", "/explanation?job=nowhere"):
        assert (await client.get(path)).status_code == 404


async def test_lineages_and_rows_are_shown_as_of_a_time(client: httpx.AsyncClient, pending: datetime) -> None:
    as_of = pending.isoformat().replace("+00:00", "Z")
    tree = await got(client, "/tree", job="top", asOf=as_of)
    (entry,) = tree["entries"]
    assert (entry["row"]["id"], entry["row"]["rootJobId"], entry["row"]["origin"]) == (
        str(UUID(int=1)),
        None,
        "PENDING",
    )
    assert len((await got(client, "/tree", job="top"))["entries"]) == 3
    timeline = await got(client, f"/timelines/TRACK/{TRACK}", asOf=as_of)
    assert [entry["row"]["origin"] for entry in timeline["entries"]] == ["PENDING"]
    row = await got(client, f"/logs/{UUID(int=1)}", asOf=as_of)
    assert (row["rootJobId"], row["origin"], row["parentConflict"]) == (None, "PENDING", False)
    later = await client.get(f"/logs/{UUID(int=2)}", params={"asOf": as_of})
    assert later.status_code == 404
    assert "that was recorded by" in later.json()["detail"]


async def test_a_time_before_the_history_is_refused(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    since = await pool.fetchval("SELECT kept_since FROM history_start")
    early = (since - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    refused = await client.get("/tree", params={"job": "top", "asOf": early})
    assert refused.status_code == 422
    assert "the history of roots begins at" in refused.json()["detail"]


async def test_pages_explain_and_show_what_was_believed(
    api: RunningApi, pool: asyncpg.Pool, pending: datetime
) -> None:
    await Writer(pool, KeptMessages()).write(about(9, HOSTILE_JOB, "top", operation="<b>odd</b>"))

    def read() -> None:
        with httpx.Client(base_url=api.url, timeout=60) as http:
            browser = Browser(http)
            row = browser.get(f"/ui/logs/{UUID(int=1)}")
            explained = browser.get(row.link("Why this root?"))
            assert explained.one("h1").text == "child"
            assert "The claim that its parent is rival does not count, since it is later" in explained.text
            assert "PENDING" in explained.one("tbody").text
            job = browser.get("/ui/jobs", job="child")
            assert browser.get(job.link("Why does it say so?")).one("h1").text == "child"
            hostile = browser.get("/ui/explanation", job=HOSTILE_JOB)
            assert [step.text[:7] for step in hostile.all("b")] == []
            then = browser.get("/ui/jobs", job="top", asOf=pending.isoformat())
            assert "without rows that were recorded later" in then.text
            assert len(then.all("li", data_key=str(UUID(int=1)))) == 1
            assert then.all("li", data_key=str(UUID(int=2))) == []
            album = browser.get(f"/ui/entities/TRACK/{TRACK}", asOf=pending.isoformat())
            assert len(album.all("li", data_key=str(UUID(int=1)))) == 1

    await asyncio.to_thread(read)
