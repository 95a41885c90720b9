"""The pages of conflicts, unknown origins and waiting jobs without a browser."""

from collections.abc import AsyncIterator
from html import unescape

import asyncpg
import httpx
import pytest

from harness.api import RunningApi
from harness.legacy_rows import write_as_another
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, override
from llamalog_schemas.events import Event

HOSTILE = """"'><img src=x onerror=alert(1)>"""


@pytest.fixture
async def visitor(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url) as client:
        yield client


async def record(pool: asyncpg.Pool, *events: Event) -> None:
    """Write events and repair what they doubt."""
    kept = KeptMessages()
    writer = Writer(pool, kept)
    for one in events:
        await writer.write(one)
    await Recomputer(pool, kept).settle()


async def shown(visitor: httpx.AsyncClient, page: str) -> str:
    """The text of a page, which must not have obeyed what others called things."""
    answer = await visitor.get(page)
    assert answer.status_code == 200, answer.text
    assert "<img src=x" not in answer.text
    return unescape(answer.text)


async def test_an_empty_log_has_nothing_to_show(visitor: httpx.AsyncClient) -> None:
    for kind in ("parents", "declarations", "cycles"):
        assert "There is none." in await shown(visitor, f"/ui/conflicts?kind={kind}")
    assert "The root of every row is known." in await shown(visitor, "/ui/unknown-origins")
    assert "No row waits for a job." in await shown(visitor, "/ui/waiting-jobs")
    assert "There is none." in await shown(visitor, "/ui/overrides")


async def test_overrides_are_listed_with_their_effect(visitor: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await record(
        pool,
        event(1, "child", f"{HOSTILE} lost"),
        event(2, "seen"),
        override(11, f"{HOSTILE} lost"),
        override(12, "seen"),
        override(13, "gone"),
        override(14, "gone", adopted=False),
    )
    text = " ".join((await shown(visitor, "/ui/overrides")).split())
    assert f"{HOSTILE} lost</bdi>" in text
    for effect in ("in effect on 1 rows", "lapsed: the job was seen", "revoked by tests", "adoption revoked"):
        assert effect in text
    assert "not read from its topic" not in text


async def test_each_kind_of_conflict_is_counted_and_listed(
    visitor: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await record(
        pool,
        event(1, "root"),
        event(2, f"{HOSTILE} job", "root", declared=f"{HOSTILE} declared"),
        event(3, f"{HOSTILE} job", f"{HOSTILE} rival"),
        event(4, f"{HOSTILE} a", f"{HOSTILE} b"),
        event(5, f"{HOSTILE} b", f"{HOSTILE} a"),
    )
    parents = await shown(visitor, "/ui/conflicts")
    for text in (
        'Rival parents <span class="number">1<',
        'declared otherwise <span class="number">1<',
        'Cycles <span class="number">1<',
    ):
        assert text in parents
    assert f"{HOSTILE} rival</bdi>" in parents
    assert f"{HOSTILE} declared</bdi>" in await shown(visitor, "/ui/conflicts?kind=declarations")
    cycles = await shown(visitor, "/ui/conflicts?kind=cycles")
    assert f"{HOSTILE} a</bdi>" in cycles
    assert f"{HOSTILE} b</bdi>" in cycles
    assert "2 rows on a cycle or below one" in cycles


async def test_a_long_list_of_conflicts_is_shown_piece_by_piece(
    visitor: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    claims = [event(number, "job", f"parent-{number}") for number in range(1, 62)]
    await record(pool, *claims)
    seen: list[str] = []
    page: str | None = "/ui/conflicts?kind=parents"
    while page is not None:
        text = await shown(visitor, page)
        seen += [claim.id for claim in claims if f'data-key="{claim.id}"' in text]
        page = (
            text.partition('data-more="#conflicts tbody"><a class="button" href="')[2].partition('"')[0]
            or None
        )
    assert seen == [claim.id for claim in claims[1:]]


async def test_rows_of_unknown_origin_are_counted_by_reason_and_lead_to_the_rows(
    visitor: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await record(pool, event(1), event(2, "below", f"{HOSTILE} lost"), event(3, "a", "b"), event(4, "b", "a"))
    await write_as_another(pool, [("job", None)])
    text = await shown(visitor, "/ui/unknown-origins")
    assert "5 rows in all" in text
    for reason in ("PENDING", "CYCLE", "UNTRACKED", "UNPROCESSED"):
        assert f'data-key="{reason}"' in text
    assert 'href="/ui/logs?origin=PENDING"' in text
    assert 'href="/ui/logs?unknownOriginOnly=true"' in text
    assert f"{HOSTILE} lost</bdi>" in await shown(visitor, "/ui/waiting-jobs")
