"""Logging in with a token and out again; and how the installation's health is shown with one."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from harness.api import RunningApi, running_api
from harness.legacy_rows import write_as_another
from llamalog_service.settings import Settings

TOKEN = "reading-token-0001"  # noqa: S105 -- of the test's own installation
HOSTILE = """/ui/"'><img src=x onerror=alert(1)>"""
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[RunningApi]:
    tokens = SecretStr(f"rita read {TOKEN}")
    async with running_api(settings.model_copy(update={"api_tokens": tokens})) as running:
        yield running


@pytest.fixture
async def visitor(guarded: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=guarded.url) as client:
        yield client


async def test_a_token_opens_a_session_that_ends_with_the_log_out(visitor: httpx.AsyncClient) -> None:
    turned_away = await visitor.get("/ui/backfills?open=true")
    assert turned_away.headers["location"] == "/ui/login?next=/ui/backfills%3Fopen%3Dtrue"
    form = await visitor.get(turned_away.headers["location"])
    assert 'value="/ui/backfills?open=true"' in form.text
    assert 'autocomplete="current-password"' in form.text

    answer = await visitor.post("/ui/login", data={"token": TOKEN, "next": "/ui/backfills?open=true"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/backfills?open=true")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert TOKEN not in answer.headers["set-cookie"]
    inside = await visitor.get("/ui/backfills?open=true")
    assert inside.status_code == 200
    assert "<bdi>rita</bdi> (read)" in inside.text

    assert (await visitor.post("/ui/logout")).status_code == 403
    assert (await visitor.get("/ui/backfills")).status_code == 200
    csrf = CSRF.search(inside.text)
    assert csrf is not None
    cookie = visitor.cookies["llamalog_session"]
    ended = await visitor.post("/ui/logout", data={"csrf": csrf[1]})
    assert ended.status_code == 303
    assert (await visitor.get("/ui/backfills")).status_code == 303
    kept = {"Cookie": f"llamalog_session={cookie}"}
    assert (await visitor.get("/ui/backfills", headers=kept)).status_code == 303, "a kept cookie goes on"


async def test_a_token_that_is_not_known_opens_nothing(visitor: httpx.AsyncClient) -> None:
    for token in ("", "x" * 18, TOKEN + "x", "é\x00"):
        answer = await visitor.post("/ui/login", data={"token": token, "next": "/ui/logs"})
        assert (answer.status_code, "No such token is known" in answer.text) == (403, True)
        assert 'value="/ui/logs"' in answer.text
        assert not answer.cookies
    assert (await visitor.get("/ui/backfills")).status_code == 303


async def test_the_log_in_leads_to_pages_of_ours_alone(visitor: httpx.AsyncClient) -> None:
    elsewhere = (
        "https://evil.example/ui",
        "//evil.example/ui",
        "/\\evil.example/ui",
        "/ui/\\..\\//evil",
        "javascript:alert(1)//ui",
        "/elsewhere",
        "//[",
        "/ui/\nSet-Cookie: a=b",
        "",
    )
    for goal in elsewhere:
        answer = await visitor.post("/ui/login", data={"token": TOKEN, "next": goal})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui"), goal
        assert 'name="next" value="/ui"' in (await visitor.get("/ui/login", params={"next": goal})).text
    shown = (await visitor.get("/ui/login", params={"next": HOSTILE})).text
    assert "<img src=x" not in shown
    assert HOSTILE in unescape(shown)


async def test_a_cookie_of_ones_own_making_opens_nothing(visitor: httpx.AsyncClient) -> None:
    for cookie in ("x", "e30.aSGd.AAAA", "eyJ0b2tlbiI6InJpdGEifQ.aSGd3A.c2lnbmF0dXJl"):
        answer = await visitor.get("/ui/backfills", headers={"Cookie": f"llamalog_session={cookie}"})
        assert answer.status_code == 303


async def test_where_there_are_no_tokens_none_is_requested(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.get("/ui/login", params={"next": "/ui/backfills"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/backfills")
        assert "Log out" not in (await client.get("/ui/backfills")).text


async def test_health_shows_how_far_the_work_is_and_how_large_the_log(
    api: RunningApi, pool: asyncpg.Pool
) -> None:
    await write_as_another(pool, [("job", None)])
    async with httpx.AsyncClient(base_url=api.url) as client:
        text = (await client.get("/ui/health")).text
    assert f'Unread in <bdi>{api.settings.topic_prefix}entity-events</bdi></dt><dd class="figure">0 ' in text
    assert "On disk, with its indexes" in text
    assert 'Not looked at yet</dt><dd class="figure">1 <small>row<' in text
    assert '<noscript><meta http-equiv="refresh"' in text


async def test_health_is_shown_also_while_kafka_is_away(settings: Settings) -> None:
    away = settings.model_copy(
        update={"kafka": "127.0.0.1:1", "api_metrics_urls": "http://127.0.0.1:1/<metrics>"}
    )
    async with running_api(away) as running, httpx.AsyncClient(base_url=running.url, timeout=15) as client:
        answer = await client.get("/ui/health")
    assert answer.status_code == 200
    assert "Kafka does not answer" in answer.text
    assert 'does not answer at <bdi class="id">http://127.0.0.1:1/&lt;metrics&gt;</bdi>' in answer.text
    assert 'Lag</dt><dd><span class="muted">not known' in answer.text


@pytest.mark.parametrize("response", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<p>{ Welcome } 1</p>\n"])
async def test_health_is_shown_also_while_others_have_the_consumers_port(
    settings: Settings, response: bytes
) -> None:
    async def welcome(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(welcome, "127.0.0.1", 0) as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/metrics"
        changed = settings.model_copy(update={"api_metrics_urls": url})
        async with (
            running_api(changed) as running,
            httpx.AsyncClient(base_url=running.url, timeout=15) as client,
        ):
            answer = await client.get("/health/summary")
    assert (answer.status_code, answer.json()["unreachable"]) == (200, [url])
