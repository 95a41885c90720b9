"""Server-sent events: rows as they are recorded and corrected, backfills followed to their end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from harness.api import RunningApi, running_api
from harness.legacy_rows import families, write_as_another
from harness.provenance_messages import publish_rows, row
from harness.service import running
from harness.topics import producing, publish
from harness.waiting import TIMEOUT, eventually
from histories import event
from llamalog_service.http import server, streams
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings


class Heard(NamedTuple):
    kind: str
    data: Any
    place: str | None


class Stream:
    """The events of a stream, as a browser reads them."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, within: float = TIMEOUT) -> Heard:
        return await asyncio.wait_for(self._next(), within)

    async def until(self, kind: str) -> Heard:
        while (heard := await self.next()).kind != kind:
            pass
        return heard

    async def _next(self) -> Heard:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line and "data" in fields:
                return Heard(fields["event"], json.loads(fields["data"]), fields.get("id"))
            name, _, value = line.partition(": ")
            fields[name] = value
        raise EOFError("the stream has ended")


@asynccontextmanager
async def stream(api: RunningApi, path: str, headers: dict[str, str] | None = None) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=90) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.aiter_lines())


async def test_a_row_is_sent_when_it_is_recorded_and_again_when_its_root_is_corrected(
    api: RunningApi, tmp_path: Path
) -> None:
    settings = api.settings
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        async with (
            stream(api, "/logs/stream?job=child") as events,
            stream(api, "/logs/stream?q=root") as other,
        ):
            await events.until("live")
            await other.until("live")
            await publish(settings, [event(1, "child", "the-root")])
            recorded = await events.until("row")
            assert (recorded.data["id"], recorded.data["revision"]) == (str(UUID(int=1)), 1)
            assert (recorded.data["origin"], recorded.data["rootJobId"]) == ("PENDING", None)

            await publish(settings, [event(2, "the-root")])
            corrected = await events.until("row")
            assert (corrected.data["id"], corrected.data["rootJobId"]) == (str(UUID(int=1)), "the-root")
            assert corrected.data["revision"] > 1
            root = (await other.until("row")).data
            assert root["jobId"] == "the-root"
            async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
                assert root == (await client.get(f"/logs/{UUID(int=2)}")).json(), "as the log has it"

        async with stream(api, "/logs/stream?job=child", {"Last-Event-ID": str(recorded.place)}) as again:
            assert (await again.until("row")).data["revision"] == corrected.data["revision"]
        async with stream(api, "/logs/stream", {"Last-Event-ID": "0000-7"}) as lost:
            assert (await lost.next()) == Heard("gap", {"missed": None}, None)


async def test_a_backfill_is_followed_to_its_end(api: RunningApi, pool: asyncpg.Pool, tmp_path: Path) -> None:
    await write_as_another(pool, families(200))
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        accepted = await client.post(
            "/backfills", json={"scope": {"kind": "everything"}, "expected": {"rows": 1000}, "batchSize": 100}
        )
        assert accepted.status_code == 202
        location = accepted.headers["location"]
        assert (await client.get(location)).json()["status"] == "queued"
        async with stream(api, f"{location}/events") as events:
            assert (await events.next()).data["status"] == "queued"
            async with running("migration-consumer", api.settings, tmp_path):
                ended = await events.until("ended")
            assert (ended.data["status"], ended.data["report"]["rows"]) == ("completed", 1000)
        assert (await client.get(location)).json() == ended.data
        late = await client.post(f"{location}/pause")
        assert (late.status_code, late.json()["type"]) == (409, "urn:llamalog:problem:run-ended")


async def test_streams_end_at_once_when_the_process_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_GRACE_SECONDS", 100)
    async with running_api(settings) as api:
        leaving = stream(api, "/logs/stream")
        events = await leaving.__aenter__()
        await events.until("live")
        clock = asyncio.get_running_loop().time
        began = clock()
    assert clock() - began < 50, "the streams were waited for"
    with pytest.raises((EOFError, httpx.HTTPError)):
        await asyncio.wait_for(events._next(), TIMEOUT)
    await leaving.__aexit__(None, None, None)


async def test_a_client_that_goes_frees_its_stream(api: RunningApi) -> None:
    async def open_streams() -> int:
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
            count: int = (await client.get("/health/summary", timeout=60)).json()["liveStreams"]
            return count

    async with stream(api, "/logs/stream") as events:
        await events.next()
        assert await open_streams() == 1

    async def none_is_open() -> bool:
        return await open_streams() == 0

    await eventually(none_is_open)


async def test_a_token_takes_its_share_of_the_streams_and_no_more(settings: Settings) -> None:
    tokens = SecretStr("ada read ada-token-0123456789;bob read bob-token-0123456789")
    guarded = settings.model_copy(update={"api_tokens": tokens, "api_streams_per_client": 2})
    ada, bob = ({"Authorization": f"Bearer {name}-token-0123456789"} for name in ("ada", "bob"))
    async with (
        running_api(guarded) as api,
        httpx.AsyncClient(base_url=api.url, timeout=60) as client,
        stream(api, "/logs/stream", ada) as first,
        stream(api, "/logs/stream", ada) as second,
    ):
        await first.next()
        await second.next()
        refused = await client.get("/logs/stream", headers=ada)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert refused.json()["type"] == "urn:llamalog:problem:too-many-streams"
        async with stream(api, "/logs/stream", bob) as other:
            await other.next()


async def test_a_client_that_takes_nothing_is_cut_off(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_SEND_TIMEOUT_SECONDS", 1.0)
    async with running_api(settings) as api:
        host, port = api.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(b"GET /logs/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"event: live")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await publish_much(settings)

        async def is_cut_off() -> bool:
            async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
                summary = (await client.get("/health/summary")).json()
            return bool(summary["liveStreams"] == 0)

        await eventually(is_cut_off)
        writer.close()


async def publish_much(settings: Settings) -> None:
    """20 MB of provenance: more than the buffers between two ends of a connection hold."""
    async with producing(settings.kafka) as producer:
        rows = [row(reason="x" * 100_000) for _ in range(200)]
        await publish_rows(producer, topics(settings.topic_prefix).provenance.name, rows)
