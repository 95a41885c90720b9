"""Who gets into the API, and who does not."""

from collections.abc import AsyncIterator
from hashlib import sha256

import httpx
import pytest
from pydantic import SecretStr

from harness.api import RunningApi, running_api
from llamalog_service.settings import Settings

READER, OPERATOR = "reading-token-0001", "operating-token-01"


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[RunningApi]:
    digest = sha256(OPERATOR.encode()).hexdigest()
    tokens = f"rita read {READER}; otto read,operate sha256:{digest}"
    async with running_api(settings.model_copy(update={"api_tokens": SecretStr(tokens)})) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_stranger_is_told_how_to_say_who_asks(guarded: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as client:
        answer = await client.get("/openapi.json")
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await client.get("/openapi.json", headers=bearer("x" * 18))).status_code == 401
        assert (await client.get("/openapi.json", headers=bearer(READER))).status_code == 200
        assert (await client.get("/openapi.json", headers=bearer(OPERATOR))).status_code == 200


async def test_whether_the_process_lives_is_told_to_everybody_but_not_its_metrics(
    guarded: RunningApi,
) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as client:
        assert (await client.get("/livez")).json() == {"ok": True, "reasons": []}
        assert (await client.get("/metrics")).status_code == 401
        measured = await client.get("/metrics", headers=bearer(READER))
        assert "llamalog_timeline_query_seconds" in measured.text


async def test_a_person_who_is_not_known_is_sent_to_the_login(guarded: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as client:
        answer = await client.get("/ui/x?y=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/login?next=/ui/x%3Fy%3D1")


async def test_without_tokens_only_a_loopback_name_is_answered(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        assert (await client.get("/ui")).status_code == 200
        rebound = await client.get("/ui", headers={"Host": "evil.example:8460"})
    assert rebound.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
    ids=str,
)
async def test_what_another_site_sends_is_refused(api: RunningApi, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.post("/ui", headers=headers)
        assert answer.status_code == 403
        assert (await client.post("/ui", headers={"Origin": api.url})).status_code == 405


async def test_a_page_bears_a_strict_policy_and_nothing_inline(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.get("/ui")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in answer.text
    assert "HttpOnly; Max-Age=43200; Path=/; SameSite=strict" in answer.headers["set-cookie"]
