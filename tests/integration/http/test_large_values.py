"""Rows with values as large as the contract allows: pages and lists stay small, a row itself is whole."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest
from msgspec.structs import replace

from harness.api import RunningApi
from harness.log_table import write_at_rest
from harness.pages import parse
from histories import event
from llamalog_schemas.events import EntityEvent, EntityType, Event, Status
from llamalog_service.domain.fold import fold
from llamalog_service.queries.paging import MAX_BYTES
from llamalog_service.queries.rows import MAX_NAME, MAX_TEXT

ALBUM: Final = UUID(int=7)
TITLE: Final = "Lemonade & <friends> " * 10_000
ERROR: Final = "the shelf is empty, " * 10_000
ROOT: Final = "r" * 100
RING: Final = 1000
DENSE_SQL: Final = """
    UPDATE llama_logs SET preview_data =
        (SELECT jsonb_build_object('dense', jsonb_agg(jsonb_build_object('a', n)))
         FROM generate_series(1, $2) n)
    WHERE job_id LIKE $1
"""
ROWS: Final = 60
HELD_SECONDS: Final = 0.05
"""Of the thread's own time: what others do on the machine does not count."""
PAGE_BYTES: Final = 1024 * 1024
PATHS: Final = {
    "root jobs": "/ui",
    "logs": "/ui/logs",
    "an album": f"/ui/entities/ALBUM/{ALBUM}",
    "its order of time": f"/ui/entities/ALBUM/{ALBUM}?order=time",
    "a job": f"/ui/jobs?job={ROOT}",
    "the next jobs": f"/ui/jobs?job={ROOT}&view=next",
    "a job of the ring": "/ui/jobs?job=ring-0001",
    "rows of the ring": "/ui/logs?origin=CYCLE",
    "cycles": "/ui/conflicts?kind=cycles",
    "why a job has its root": "/ui/explanation?job=child-7",
    "why a job of the ring has none": "/ui/explanation?job=ring-0001",
    "waiting jobs": "/ui/waiting-jobs",
}
LISTS: Final = {
    "root jobs": f"/root-jobs?limit={ROWS}",
    "children": f"/children?job={ROOT}&limit={ROWS}",
    "a chain": "/chain?job=child-7",
    "an explanation": "/explanation?job=ring-0001",
    "an album": f"/entities/ALBUM/{ALBUM}",
}


def with_data(original: EntityEvent, **data: Any) -> EntityEvent:
    return replace(original, data=replace(original.data, **data))


def large_events() -> Iterator[Event]:
    about: dict[str, Any] = {"entity_type": EntityType.ALBUM, "entity_id": ALBUM, "album_id": ALBUM}
    yield with_data(event(1, ROOT), metadata={"title": TITLE}, **about)
    for number in range(ROWS):
        name = f"child-{number}" if number % 2 else None
        yield with_data(
            event(2 + number, name, ROOT),
            status=Status.FAILED,
            error_code="E" * 50,
            error_message=ERROR,
            reason=ERROR,
            sources=tuple(f"{place:03}" + "S" * 97 for place in range(50)),
            fields_enriched=tuple(f"{place:03}" + "f" * 197 for place in range(500)),
            user_id="u" * 255,
            triggered_by="t" * 50,
            metadata={"title": f"{number} {TITLE}"},
            preview_data={"list": [[[["x" * 20]]] * 20] * 20},
            **about,
        )
    for number in range(ROWS):
        yield with_data(event(200 + number, f"other-{number}"), metadata={"name": f"{number} {TITLE}"})
    for number in range(ROWS):
        yield event(400 + number, f"orphan-{number}", f"{number:03}{'w' * 97}")
    for number in range(RING):
        yield event(1000 + number, f"ring-{number:04}", f"ring-{(number + 1) % RING:04}")


@pytest.fixture
async def client(api: RunningApi, pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    await write_at_rest(pool, fold(list(large_events())).values(), at_once=100)
    await pool.execute("ANALYZE llama_logs")
    async with httpx.AsyncClient(base_url=api.url, timeout=120) as client:
        yield client


async def test_pages_and_lists_of_large_values_are_small_and_the_row_is_whole(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    sizes = {}
    for name, path in PATHS.items():
        page = await client.get(path)
        assert page.status_code == 200, (name, page.text[:500])
        assert any(word in page.text for word in ("ring-", "Lemonade", ROOT, "w" * 97)), name
        assert page.headers["content-encoding"] == "gzip"
        sizes[name] = len(page.content)
        longest = max(len(text) for text in _texts(page.text))
        assert longest < 2200, (name, longest)
    assert {name: size for name, size in sizes.items() if size > PAGE_BYTES} == {}

    row = await pool.fetchval("SELECT id FROM llama_logs WHERE job_id = 'child-7'")
    detail = parse((await client.get(f"/ui/logs/{row}")).text).text
    assert " ".join(ERROR.split()) in detail
    assert "499" + "f" * 197 in detail
    whole = (await client.get(f"/logs/{row}")).json()
    assert (whole["metadata"]["title"], whole["errorMessage"]) == (f"7 {TITLE}", ERROR)
    assert (len(whole["name"]), whole["name"][-1]) == (MAX_NAME, "…")

    for name, path in LISTS.items():
        body = (await client.get(path)).json()
        assert "…" in str(body), name
        assert max(len(text) for text in _strings(body)) <= MAX_TEXT, name


@pytest.mark.parametrize("path", [f"/timelines/ALBUM/{ALBUM}?", f"/tree?job={ROOT}&", "/logs?"])
async def test_a_page_of_whole_rows_counts_all_that_they_carry(
    client: httpx.AsyncClient, pool: asyncpg.Pool, path: str
) -> None:
    await pool.execute("UPDATE llama_logs SET metadata = NULL, preview_data = NULL")
    count, after = 0, ""
    while True:
        page = await client.get(f"{path}limit=500{after}")
        assert page.status_code == 200
        assert len(page.content) < MAX_BYTES + 1024 * 1024
        body = page.json()
        count += len(body["items"] if "items" in body else body["entries"])
        if body["next"] is None:
            break
        after = f"&after={body['next']}"
    assert count == (1 + ROWS if "/logs" not in path else 1 + 3 * ROWS + RING)


@pytest.mark.parametrize("dense", [4_000, 18_000, 1_000_000], ids=["sixty kB", "an event", "a legacy row"])
async def test_no_request_holds_the_event_loop_for_long(
    client: httpx.AsyncClient, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, dense: int
) -> None:
    path = "/ui"
    held: list[tuple[float, str, str]] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        if threading.current_thread().name == "api":
            held.append((time.thread_time() - began, path, repr(handle)))

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    await pool.execute(DENSE_SQL, "other-%" if dense < 100_000 else "other-7", dense)
    many = "&".join(f"p{number:x}" for number in range(1500))
    others = ("/openapi.json", "/docs", "/logs?limit=500", "/cycles", f"/logs?{many}", f"/ui/logs?{many}")
    await client.get(path)  # the first request of a process reads the files of its statements
    held.clear()
    gc.collect()
    gc.freeze()  # what all the tests of this process hold is not the API's
    for path in (*PATHS.values(), *LISTS.values(), *others):
        await asyncio.gather(*[client.get(path) for _ in range(5)])
    assert len(held) > 1000
    gc.unfreeze()
    assert max(held)[0] < HELD_SECONDS, sorted(held)[-5:]


def _texts(page: str) -> Iterator[str]:
    for element in parse(page):
        yield from (child for child in element.children if isinstance(child, str))
        yield from element.attributes.values()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
