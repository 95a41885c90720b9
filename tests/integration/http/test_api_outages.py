"""The API while PostgreSQL or Kafka is away, and when it is back."""

import asyncio

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from chaos.proxy import wired_to_database
from harness.api import running_api
from harness.waiting import TIMEOUT, eventually
from llamalog_service.bootstrap import api
from llamalog_service.settings import Settings


async def test_without_postgresql_the_answer_is_503_until_it_is_back(settings: Settings) -> None:
    async with wired_to_database(settings.database_url.get_secret_value()) as (wire, url):
        by_wire = settings.model_copy(update={"database_url": SecretStr(url)})
        async with running_api(by_wire) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
            assert (await client.get("/logs")).status_code == 200

            wire.freeze()
            away = await client.get("/logs")
            assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
            assert away.json()["type"] == "urn:llamalog:problem:unavailable"
            assert away.json()["detail"].startswith("PostgreSQL does not answer")
            assert away.headers["retry-after"]
            assert (await client.get("/livez")).status_code == 200

            async def is_unready() -> bool:
                return (await client.get("/readyz")).status_code == 503

            await eventually(is_unready)
            summary = (await client.get("/health/summary")).json()
            assert "PostgreSQL" in summary["unreachable"]
            assert summary["table"] is None

            wire.sever()
            wire.thaw()

            async def is_back() -> bool:
                answers = [(await client.get(path)).status_code for path in ("/logs", "/readyz")]
                return answers == [200, 200]

            await eventually(is_back)


async def test_an_answer_that_takes_too_long_is_distinguished_from_a_database_that_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_STATEMENT_SECONDS", 1.0)
    another = await asyncpg.connect(settings.database_url.get_secret_value())
    async with (
        running_api(settings) as running,
        httpx.AsyncClient(base_url=running.url, timeout=60) as client,
    ):
        async with another.transaction():
            await another.execute("LOCK TABLE llama_logs")
            late = await client.get("/logs")
        assert (late.status_code, late.json()["type"]) == (503, "urn:llamalog:problem:took-too-long")
        assert late.json()["detail"].startswith("PostgreSQL took longer than 1 s for an answer")
        assert "Ask for less" in late.json()["detail"]
        assert (await client.get("/logs")).status_code == 200
    await another.close()


async def test_without_kafka_the_log_is_read_and_what_needs_kafka_says_so(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    async with running_api(nowhere) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        assert (await client.get("/logs")).status_code == 200
        for request in (
            client.get("/dead-letters"),
            client.post("/backfills", json={"scope": {"kind": "everything"}}),
        ):
            away = await request
            assert away.status_code == 503
            assert away.json()["detail"].startswith("Kafka does not answer")
        assert "Kafka" in (await client.get("/health/summary")).json()["unreachable"]
        assert (await client.get("/readyz")).status_code == 200
        async with client.stream("GET", "/logs/stream") as answer, asyncio.timeout(TIMEOUT):
            async for line in answer.aiter_lines():
                if line == "event: waiting":
                    break
