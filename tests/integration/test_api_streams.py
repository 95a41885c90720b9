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

from harness.api import RunningApi, running_api
from harness.legacy_rows import families, write_as_another
from harness.patience import eventually
from harness.service import running
from harness.topics import publish
from histories import event
from llamalog_service.settings import Settings


class Heard(NamedTuple):
    kind: str
    data: Any
    place: str | None


class Stream:
    """The events of a stream, as a browser reads them."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, within: float = 20.0) -> Heard:
        return await asyncio.wait_for(self._next(), within)

    async def until(self, kind: str) -> Heard:
        while (heard := await self.next()).kind != kind:
            pass
        return heard

    async def _next(self) -> Heard:
        said: dict[str, str] = {}
        async for line in self._lines:
            if not line and "data" in said:
                return Heard(said["event"], json.loads(said["data"]), said.get("id"))
            name, _, value = line.partition(": ")
            said[name] = value
        raise EOFError("the stream has ended")


@asynccontextmanager
async def stream(api: RunningApi, path: str, headers: dict[str, str] | None = None) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=30) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.aiter_lines())


async def test_a_row_is_told_when_it_is_recorded_and_again_when_its_root_is_corrected(
    api: RunningApi, tmp_path: Path
) -> None:
    settings = api.settings
    async with running("consumer", settings, tmp_path), running("migrator", settings, tmp_path):
        async with stream(api, "/logs/stream?job=child") as told, stream(api, "/logs/stream?q=root") as other:
            await told.until("live")
            await other.until("live")
            await publish(settings, [event(1, "child", "the-root")])
            recorded = await told.until("row")
            assert (recorded.data["id"], recorded.data["revision"]) == (str(UUID(int=1)), 1)
            assert (recorded.data["origin"], recorded.data["rootJobId"]) == ("PENDING", None)

            await publish(settings, [event(2, "the-root")])
            corrected = await told.until("row")
            assert (corrected.data["id"], corrected.data["rootJobId"]) == (str(UUID(int=1)), "the-root")
            assert corrected.data["revision"] > 1
            assert (await other.until("row")).data["jobId"] == "the-root"

        async with stream(api, "/logs/stream?job=child", {"Last-Event-ID": str(recorded.place)}) as again:
            assert (await again.until("row")).data["revision"] == corrected.data["revision"]
        async with stream(api, "/logs/stream", {"Last-Event-ID": "0000-7"}) as lost:
            assert (await lost.next()) == Heard("gap", {"missed": None}, None)


async def test_a_streamed_row_is_the_one_that_the_log_tells(api: RunningApi, tmp_path: Path) -> None:
    async with (
        running("consumer", api.settings, tmp_path),
        stream(api, "/logs/stream") as told,
        httpx.AsyncClient(base_url=api.url) as client,
    ):
        await told.until("live")
        await publish(api.settings, [event(1, "job", declared="boast")])
        streamed = (await told.until("row")).data
        assert streamed == (await client.get(f"/logs/{UUID(int=1)}")).json()


async def test_a_backfill_is_followed_to_its_end(api: RunningApi, pool: asyncpg.Pool, tmp_path: Path) -> None:
    await write_as_another(pool, families(200))
    async with httpx.AsyncClient(base_url=api.url) as client:
        asked = await client.post(
            "/backfills", json={"scope": {"kind": "everything"}, "expected": {"rows": 1000}, "batchSize": 100}
        )
        assert asked.status_code == 202
        location = asked.headers["location"]
        assert (await client.get(location)).json()["status"] == "queued"
        async with stream(api, f"{location}/events") as told:
            assert (await told.next()).data["status"] == "queued"
            async with running("migrator", api.settings, tmp_path):
                ended = await told.until("ended")
            assert (ended.data["status"], ended.data["report"]["rows"]) == ("completed", 1000)
        assert (await client.get(location)).json() == ended.data
        late = await client.post(f"{location}/pause")
        assert (late.status_code, late.json()["type"]) == (409, "urn:llamalog:problem:run-ended")


async def test_streams_end_at_once_when_the_process_does(settings: Settings) -> None:
    async with running_api(settings) as api:
        leaving = stream(api, "/logs/stream")
        told = await leaving.__aenter__()
        await told.until("live")
        clock = asyncio.get_running_loop().time
        began = clock()
    assert clock() - began < 3
    with_end = asyncio.wait_for(told._next(), 5)
    try:
        await with_end
    except (EOFError, httpx.HTTPError):
        pass
    else:
        raise AssertionError("the stream goes on")
    await leaving.__aexit__(None, None, None)


async def test_a_client_that_goes_frees_its_stream(api: RunningApi) -> None:
    async def open_streams() -> int:
        async with httpx.AsyncClient(base_url=api.url) as client:
            count: int = (await client.get("/health/summary", timeout=20)).json()["liveStreams"]
            return count

    async with stream(api, "/logs/stream") as told:
        await told.next()
        assert await open_streams() == 1

    async def none_is_open() -> bool:
        return await open_streams() == 0

    await eventually(none_is_open, 10)
