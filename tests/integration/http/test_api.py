"""What the API answers: pages, limits, problems, backfills requested once, dead letters, health."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from harness.api import RunningApi, got, running_api
from harness.filled import ALBUM, ROOT_JOB, fill_installation, fill_log
from harness.service import running
from harness.settled import wait_until_consumed, wait_until_settled
from harness.topics import publish, read_all
from harness.waiting import eventually
from histories import chains
from llamalog_schemas.codec import decode_command, decode_event
from llamalog_schemas.commands import BackfillRoots, PauseBackfill
from llamalog_schemas.events import RootAdopted
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

UNKNOWN = UUID("0f9be2a4-6a0c-4d3e-9b1c-2f1d6c1d7a10")


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        yield client


@pytest.fixture
async def filled(pool: asyncpg.Pool) -> None:
    await fill_log(pool)


@pytest.mark.usefixtures("filled")
async def test_a_timeline_shows_how_an_album_came_to_be(client: httpx.AsyncClient) -> None:
    timeline = await got(client, f"/timelines/ALBUM/{ALBUM}")
    assert timeline["name"] == "Lemonade"
    entries = [(entry["row"]["operation"], entry["depth"]) for entry in timeline["entries"]]
    assert entries[:4] == [
        ("album:created:test", 0),
        ("album:enriched:test", 1),
        ("track:created:test", 2),
        ("artist:linked:test", 3),
    ]
    first = timeline["entries"][0]["row"]
    assert (first["createdAt"], first["rootJobId"]) == ("2026-02-10T12:00:01Z", ROOT_JOB)


@pytest.mark.usefixtures("filled")
async def test_a_job_of_any_characters_is_named_in_the_query_string(client: httpx.AsyncClient) -> None:
    tree = await got(client, "/tree", job=ROOT_JOB)
    assert {entry["row"]["jobId"] for entry in tree["entries"]} >= {ROOT_JOB, "cover-42", "artist-42"}
    chain = await got(client, "/chain", job="artist-42")
    assert [link["job"] for link in chain["links"]] == [ROOT_JOB, "enrich-42", "track-42", "artist-42"]
    children = await got(client, "/children", job=ROOT_JOB)
    assert [child["job"] for child in children["items"]] == ["enrich-42", "cover-42", "artist-lookup"]


@pytest.mark.usefixtures("filled")
async def test_pages_go_on_where_the_last_one_ended(client: httpx.AsyncClient) -> None:
    whole = (await got(client, "/logs", limit=500))["items"]
    pieces: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = await got(client, "/logs", limit=7, **after)
        pieces += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert pieces == whole
    assert len(whole) > 20


@pytest.mark.usefixtures("filled")
async def test_rows_are_found_by_their_values(client: httpx.AsyncClient) -> None:
    for params, jobs in (
        ({"category": "LINKED"}, ["artist-42"]),
        ({"error": "nothing WAS"}, ["artist-lookup"]),
        ({"operation": "album:c*", "order": "oldest", "user": "user-7"}, [ROOT_JOB, "cover-42", "admin-42"]),
        ({"origin": "ADOPTED"}, ["adopted-child"]),
        ({"job": "orphan", "unknownOriginOnly": "true"}, ["orphan"]),
    ):
        found = (await got(client, "/logs", **params))["items"]
        assert [row["jobId"] for row in found] == jobs, params


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/nowhere", 404, "nothing under this path"),
        (f"/logs/{UNKNOWN}", 404, "has no row"),
        (f"/backfills/{UNKNOWN}", 404, "no backfill"),
        ("/logs?limit=501", 422, "query.limit"),
        ("/logs?limit=0", 422, "query.limit"),
        ("/logs?limit=1_0", 422, "whole number"),
        ("/logs?since=2026-02-10T10:00:00", 422, "no zone"),
        ("/logs?since=123", 422, "no timestamp"),
        ("/logs?rootsOnly=yes", 422, "neither"),
        ("/logs?categroy=LINKED", 422, "Did you mean `category`?"),
        ("/logs?limit=5&limit=6", 422, "more than once"),
        ("/logs?after=bm9uc2Vuc2U", 422, "no cursor"),
        ("/cycles?after=%00", 400, "NUL"),
        ("/tree?job=%ED%A0%80", 400, "UTF-8"),
        ("/tree?job=%FF", 400, "UTF-8"),
        (f"/tree?job={'x' * 101}", 422, "at most 100"),
        (f"/tree?job={'x' * 9000}", 414, "query string"),
        ("/timelines/LABEL/6b1f0c5e-0f4e-4c0e-9f0a-3a8f2f8f4c11", 422, "path.type"),
        ("/counts?since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:59-14:00", 422, "1,000"),
        ("/dead-letters/messages?after=1/x", 422, "no cursor"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_that_says_why(
    client: httpx.AsyncClient, path: str, status: int, detail: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["instance"]) == (status, path.partition("?")[0])
    assert detail in problem["detail"]


async def test_a_request_may_not_be_too_large(client: httpx.AsyncClient) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    for content in (b" " * 70_000, in_pieces()):
        answer = await client.post(
            "/backfills", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert (await client.get("/logs", headers={"X-Long": "x" * 20_000})).status_code == 431


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "path", ["/logs", "/chain?job=x", "/ui", "/ui/logs", "/nowhere", "/livez", "/openapi.json"]
)
async def test_a_head_is_what_get_answers_without_its_body(client: httpx.AsyncClient, path: str) -> None:
    head, whole = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for name in ("content-type", "content-length", "content-security-policy"):
        assert head.headers.get(name) == whole.headers.get(name)


async def test_the_head_of_a_stream_ends(client: httpx.AsyncClient) -> None:
    head = await client.head("/logs/stream", timeout=60)
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")

    async def is_closed() -> bool:
        return bool((await got(client, "/health/summary"))["liveStreams"] == 0)

    await eventually(is_closed)


async def test_a_method_that_is_not_allowed_names_those_that_are(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/backfills")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "no JSON"),
        (b"\xff", 400, "no JSON"),
        (b"[" * 5000, 422, "nested deeper"),
        (b"{}", 422, "scope"),
        (b'{"scope": {"kind": "everything"}, "dryRn": true}', 422, "dryRn"),
        (b'{"scope": {"kind": "jobs", "jobs": []}}', 422, "body.scope.jobs"),
        (b'{"scope": {"kind": "jobs", "jobs": ["a\\u0000"]}}', 422, "NUL"),
        (b'{"scope": {"kind": "everything"}, "rateLimit": 9999999999999999999999}', 422, "rateLimit"),
        (
            b'{"scope": {"kind":"window", "from":"0001-01-01T00:00:00+14:00", "to": "2026-01-01T00:00:00Z"}}',
            422,
            "1970",
        ),
        (
            b'{"scope": {"kind": "window", "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}',
            422,
            "not before",
        ),
    ],
)
async def test_a_backfill_that_cannot_be_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int, detail: str
) -> None:
    answer = await client.post("/backfills", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]


async def test_a_body_that_is_not_called_json_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/backfills", data={"scope": "everything"})).status_code == 415


async def test_two_requests_with_one_key_are_one_backfill(
    api: RunningApi, client: httpx.AsyncClient, tmp_path: Path, pool: asyncpg.Pool
) -> None:
    wanted = {"scope": {"kind": "everything"}, "dryRun": True}
    key = {"Idempotency-Key": "nightly 2026-02-10"}
    first, second = [await client.post("/backfills", json=wanted, headers=key) for _ in range(2)]
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    other = await client.post("/backfills", json={**wanted, "dryRun": False}, headers=key)
    assert (other.status_code, other.json()["type"]) == (409, "urn:llamalog:problem:key-used")
    named = uuid4()
    third = await client.post("/backfills", json=wanted, headers={"Idempotency-Key": str(named)})
    assert third.json()["run"] == str(named)

    async with running("migration-consumer", api.settings, tmp_path):
        await wait_until_settled(api.settings, pool)
    assert await pool.fetchval("SELECT count(*) FROM backfill_runs") == 2
    async with running_api(api.settings) as elsewhere, httpx.AsyncClient(base_url=elsewhere.url) as anew:
        again = await anew.post("/backfills", json={**wanted, "dryRun": False}, headers=key)
        assert again.status_code == 409
        listed = await got(anew, "/backfills", onlyOpen="false")
    assert {run["run"] for run in listed["items"]} == {first.json()["run"], str(named)}
    assert {run["status"] for run in listed["items"]} == {"completed"}


async def test_a_command_names_who_has_requested_it(settings: Settings) -> None:
    guarded = settings.model_copy(
        update={"api_tokens": SecretStr("otto operate operating-token-01;ada admin admin-token-00001")}
    )
    async with running_api(guarded) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        client.headers["Authorization"] = "Bearer operating-token-01"
        adopting = {"scope": {"kind": "everything"}, "missingParent": "adopt"}
        refused = await client.post("/backfills", json=adopting)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:llamalog:problem:scope")
        tried = await client.post("/backfills", json={**adopting, "dryRun": True})
        assert tried.status_code == 202
        assert (await client.post(f"{tried.headers['location']}/pause")).status_code == 202
        override = {"jobId": "lost", "adopt": True, "reason": "It never came."}
        assert (await client.post("/overrides", json=override)).status_code == 403
        client.headers["Authorization"] = "Bearer admin-token-00001"
        assert (await client.post("/overrides", json=override)).status_code == 202

    names = topics(settings.topic_prefix)
    commands = [
        decode_command(record.value)
        for record in await read_all(settings.kafka, names.backfill_commands.name)
    ]
    start, pause = commands
    assert isinstance(start, BackfillRoots)
    assert isinstance(pause, PauseBackfill)
    assert {start.data.requested_by, pause.data.requested_by} == {"otto"}
    (record,) = await read_all(settings.kafka, names.overrides.name)
    published = decode_event(record.value)
    assert isinstance(published, RootAdopted)
    assert (published.data.job_id, published.data.requested_by) == ("lost", "ada")
    assert {start.source, pause.source, published.source} == {"/llamalog/api"}


@pytest.mark.usefixtures("filled")
async def test_an_override_about_a_job_that_was_seen_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/overrides", json={"jobId": ROOT_JOB, "adopt": True, "reason": "It never came."}
    )
    assert answer.status_code == 409
    assert "has been seen" in answer.json()["detail"]


async def test_dead_letters_are_counted_by_reason_and_shown_the_newest_first(
    api: RunningApi, client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await fill_installation(api.settings, pool)
    counts = await got(client, "/dead-letters")
    assert (counts["byReason"], counts["kept"]) == ({"not-json": 20, "empty-value": 10}, 30)

    offsets: list[int] = []
    after: dict[str, str] = {}
    while True:
        page = await got(client, "/dead-letters/messages", reason="not-json", limit=6, **after)
        offsets += [dead_letter["offset"] for dead_letter in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert offsets == [offset for offset in reversed(range(30)) if offset % 3]

    newest = (await got(client, "/dead-letters/messages", limit=1))["items"][0]
    assert newest["cameFrom"] == {
        "topic": topics(api.settings.topic_prefix).entity_events.name,
        "partition": 0,
        "offset": 29,
    }
    assert (newest["key"], newest["valueBytes"]) == ("\ufffd", 2 * (1 + 29 * 500))
    assert len(newest["value"]) <= 4096
    assert newest["headers"] == [{"name": "x", "value": "\ufffd\ufffd"}, {"name": "y", "value": None}]


async def test_the_health_of_an_installation_is_reported(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with running("consumer", settings, tmp_path) as consumer:
        await publish(settings, chains(30))

        async def is_serving() -> bool:
            return bool(consumer.logged("serving"))

        await eventually(is_serving)
        (serving,) = consumer.logged("serving")
        url = f"{serving['address']}/metrics"
        watching = settings.model_copy(update={"api_metrics_urls": f"{url}, http://127.0.0.1:1/metrics"})
        async with running_api(watching) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
            await wait_until_consumed(settings)
            summary = await got(client, "/health/summary")
    assert summary["unreachable"] == ["http://127.0.0.1:1/metrics"]
    assert {(lag["group"], lag["records"]) for lag in summary["lag"]} == {
        (settings.consumer_group, 0),
        (settings.migration_group, 0),
    }
    assert summary["timeToRoot"]["rows"] == 30
    assert summary["table"]["bytes"] > 0


@pytest.mark.usefixtures("filled")
async def test_a_legacy_row_that_no_event_could_bring_is_returned_as_it_is(
    client: httpx.AsyncClient,
) -> None:
    odd = (await got(client, "/logs", job="odd"))["items"]
    assert [1, None] in [row["metadata"] for row in odd]
    assert any(row["operation"] == "a\x07\x1b[31m" for row in odd)
    assert len(odd) == 7
    for row in odd:
        assert await got(client, f"/logs/{UUID(row['id'])}") == row
