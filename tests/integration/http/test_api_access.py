"""Who gets into the API, and who does not."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from uuid import UUID

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


async def test_the_response_to_a_stranger_explains_how_to_authenticate(guarded: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=60) as client:
        answer = await client.get("/openapi.json")
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await client.get("/openapi.json", headers=bearer("x" * 18))).status_code == 401
        assert (await client.get("/openapi.json", headers=bearer(READER))).status_code == 200
        assert (await client.get("/openapi.json", headers=bearer(OPERATOR))).status_code == 200


async def test_liveness_needs_no_token_but_metrics_do(
    guarded: RunningApi,
) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=60) as client:
        assert (await client.get("/livez")).json() == {"ok": True, "reasons": []}
        assert (await client.get("/metrics")).status_code == 401
        await client.get(f"/timelines/ALBUM/{UUID(int=1)}", headers=bearer(READER))
        await client.get("/nowhere", headers=bearer(READER))
        measured = await client.get("/metrics", headers=bearer(READER))
        counted = 'llamalog_http_request_duration_seconds_count{route="%s",status="%s"} 1.0'
        assert counted % ("/timelines/{type}/{id}", 200) in measured.text
        assert counted % ("(none)", 404) in measured.text
        assert "llamalog_timeline_query_seconds" in measured.text


async def test_a_person_who_is_not_known_is_sent_to_the_login(guarded: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=60) as client:
        answer = await client.get("/ui/x?y=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/login?next=/ui/x%3Fy%3D1")


async def test_without_tokens_only_a_loopback_name_is_answered(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        assert (await client.get("/ui")).status_code == 200
        rebound = await client.get("/ui", headers={"Host": "evil.example:8460"})
    assert rebound.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
    ids=str,
)
async def test_what_another_site_sends_is_refused(api: RunningApi, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        answer = await client.post("/ui", headers=headers)
        assert answer.status_code == 403
        assert (await client.post("/ui", headers={"Origin": api.url})).status_code == 405


async def test_a_page_bears_a_strict_policy_and_nothing_inline(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        answer = await client.get("/ui")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in answer.text
    assert "HttpOnly; Max-Age=43200; Path=/; SameSite=strict" in answer.headers["set-cookie"]


async def test_a_cookie_reads_and_changes_nothing_without_a_form_of_ours(guarded: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=60) as client:
        opened = await client.post("/ui/login", data={"token": OPERATOR})
        assert opened.status_code == 303
        assert (await client.get("/logs")).status_code == 200
        wanted = {"scope": {"kind": "everything"}, "dryRun": True}
        assert (await client.post("/backfills", json=wanted)).status_code == 401
        form = await client.post("/ui/backfills", data={"scope": "everything"})
        assert (form.status_code, "The form is not one of this session" in form.text) == (403, True)


async def test_a_principal_that_may_only_read_changes_nothing(guarded: RunningApi) -> None:
    wanted = {"scope": {"kind": "everything"}, "dryRun": True}
    async with httpx.AsyncClient(base_url=guarded.url, timeout=60, headers=bearer(READER)) as client:
        answer = await client.post("/backfills", json=wanted)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:llamalog:problem:scope")


async def test_a_token_is_never_logged_wherever_it_is_sent(guarded: RunningApi, capsys: Any) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=60) as client:
        answers = [
            await client.get(f"/logs?token={READER}", headers=bearer(READER)),
            await client.get("/logs", headers=bearer(f"{READER}-mistyped")),
            await client.post("/ui/login", data={"token": f"{READER}-mistyped"}),
            await client.post(f"/backfills?token={READER}", json={"token": READER}, headers=bearer(OPERATOR)),
            await client.post(f"/logs/{READER}", headers=bearer(READER)),
        ]
    assert [answer.status_code for answer in answers] == [422, 401, 403, 422, 405]
    for answer in answers[:4]:
        assert READER not in answer.text
    printed = capsys.readouterr()
    assert "http_request" in printed.out
    assert "otto" in printed.out
    assert READER not in (printed.out + printed.err).replace(f"/logs/{READER}", "")


@pytest.mark.parametrize(
    "path", ["/ui", "/logs", "/nowhere", "/ui/nowhere", "/logs?limit=0", "/docs", "/livez"]
)
async def test_every_answer_has_the_headers_that_browsers_obey(api: RunningApi, path: str) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        answer = await client.get(path)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


async def test_the_documents_page_lists_every_operation_and_fetches_nothing(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        page = (await client.get("/docs")).text
        document = (await client.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert "https://" not in page
