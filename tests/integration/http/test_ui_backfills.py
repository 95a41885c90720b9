"""The pages of backfills without a browser: what they show, what their forms request, whom they refuse."""

import re
from collections.abc import AsyncIterator
from html import unescape
from operator import attrgetter
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from harness.api import RunningApi, running_api
from harness.backfills import Backfills
from harness.legacy_rows import families, write_as_another
from harness.topics import read_all
from llamalog_schemas.codec import decode_command
from llamalog_schemas.commands import (
    BackfillRoots,
    BackfillRootsData,
    CancelBackfill,
    Command,
    ExpectedCounts,
    GivenJobs,
    MissingParent,
    OneRoot,
    PauseBackfill,
    TimeWindow,
    WholeTable,
)
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

HOSTILE = """"'><img src=x onerror=alert(1)>"""
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@pytest.fixture
async def visitor(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url) as client:
        yield client


@pytest.fixture
def backfills(pool: asyncpg.Pool) -> Backfills:
    return Backfills(pool)


async def send(visitor: httpx.AsyncClient, page: str, to: str, **fields: str) -> httpx.Response:
    """Send a form as the page has it."""
    found = CSRF.search((await visitor.get(page)).text)
    assert found is not None
    return await visitor.post(to, data={"csrf": found[1], **fields})


async def commands_of(settings: Settings) -> list[Command]:
    """The commands that Kafka was given, in the order in which they were published."""
    records = await read_all(settings.kafka, topics(settings.topic_prefix).backfill_commands.name)
    return [decode_command(record.value) for record in sorted(records, key=attrgetter("timestamp"))]


def started(answer: httpx.Response) -> UUID:
    """The run that the answer leads to."""
    assert answer.status_code == 303, answer.text
    return UUID(answer.headers["location"].removeprefix("/ui/backfills/"))


async def test_a_form_requests_a_dry_run_for_any_fields(
    visitor: httpx.AsyncClient, settings: Settings
) -> None:
    answer = await send(visitor, "/ui/backfills", "/ui/backfills", scope="everything", dryRun="false")
    [command] = await commands_of(settings)
    assert isinstance(command, BackfillRoots)
    assert UUID(command.id) == started(answer)
    assert command.data == BackfillRootsData(scope=WholeTable(), requested_by="local", dry_run=True)
    waiting = await visitor.get(answer.headers["location"])
    assert (waiting.status_code, "has not started it yet" in waiting.text) == (200, True)
    assert '<noscript><meta http-equiv="refresh"' in waiting.text


async def test_a_form_requests_what_its_fields_hold(visitor: httpx.AsyncClient, settings: Settings) -> None:
    forms = [
        {"scope": "root", "root": "a/b c", "missingParent": "adopt", "batchSize": "1_000", "rateLimit": "50"},
        {"scope": "jobs", "jobs": "one\r\ntwo \r\n\r\none", "expect-roots": "1,567", "expect-pending": "0"},
        {"scope": "window", "since": "2026-02-10", "until": "2026-02-11T10:30"},
    ]
    for form in forms:
        started(await send(visitor, "/ui/backfills", "/ui/backfills", **form))
    root, jobs, window = [command.data for command in await commands_of(settings)]
    assert root == BackfillRootsData(
        scope=OneRoot(root_job_id="a/b c"),
        requested_by="local",
        missing_parent=MissingParent.ADOPT,
        batch_size=1000,
        rate_limit=50,
        dry_run=True,
    )
    assert isinstance(jobs, BackfillRootsData)
    assert jobs.scope == GivenJobs(jobs=("one", "two "))
    assert jobs.expected == ExpectedCounts(roots=1567, pending=0)
    assert isinstance(window, BackfillRootsData)
    assert isinstance(window.scope, TimeWindow)
    assert f"{window.scope.from_:%F %H:%M %Z}–{window.scope.to:%F %H:%M %Z}" == (
        "2026-02-10 00:00 UTC–2026-02-11 10:30 UTC"
    )


WRONG = [
    ({"scope": "root", "root": ""}, "Name a job."),
    ({"scope": "root", "root": "x" * 101}, "1 to 100 characters"),
    ({"scope": "jobs", "jobs": " \n "}, "Name a job."),
    ({"scope": "window", "since": "yesterday"}, "is no moment. One looks like 2026-02-10"),
    ({"scope": "window", "since": "2026-02-11", "until": "2026-02-10"}, "No row lies in that window"),
    ({"scope": "window", "until": "2300-01-01"}, "lies outside of 1970 to 2100"),
    ({"scope": HOSTILE}, "Choose which rows are meant"),
    ({"batchSize": "100001"}, "a whole number between 1 and 100,000"),
    ({"expect-roots": "many"}, "The count of roots"),
    ({"missingParent": HOSTILE}, "Choose what becomes of a top"),
]


async def test_a_form_with_an_invalid_request_comes_back_as_it_was_with_the_reason(
    visitor: httpx.AsyncClient, settings: Settings
) -> None:
    for fields, complaint in WRONG:
        answer = await send(
            visitor, "/ui/backfills", "/ui/backfills", **{"jobs": HOSTILE, "root": HOSTILE} | fields
        )
        assert answer.status_code == 422, fields
        text = unescape(answer.text)
        assert complaint in text
        assert "Nothing was requested: 1 field" in text
        assert HOSTILE in text
        assert "<img src=x" not in answer.text
    assert await commands_of(settings) == []


async def test_a_dry_run_that_has_completed_offers_the_backfill_itself(
    visitor: httpx.AsyncClient, settings: Settings, pool: asyncpg.Pool, backfills: Backfills
) -> None:
    await write_as_another(pool, families(2))
    tried = (await backfills.do(dry_run=True, batch_size=7)).id
    page = f"/ui/backfills/{tried}"
    text = (await visitor.get(page)).text
    assert "10 of 10 rows would be set" in text
    assert "http-equiv" not in text
    loose = started(await send(visitor, page, f"{page}/apply"))
    strict = started(await send(visitor, page, f"{page}/apply", same="true"))
    first, second = await commands_of(settings)
    assert [UUID(command.id) for command in (first, second)] == [loose, strict]
    assert first.data == BackfillRootsData(
        scope=WholeTable(), requested_by="local", batch_size=7, dry_run=False
    )
    assert isinstance(second.data, BackfillRootsData)
    assert second.data.expected == ExpectedCounts(
        rows=10, roots=2, children=4, pending=2, untracked=2, adopted=0, declared=0, cycles=0, conflicts=0
    )


async def test_only_a_dry_run_can_be_done_for_real_and_only_an_open_run_paused(
    visitor: httpx.AsyncClient, settings: Settings, pool: asyncpg.Pool, backfills: Backfills
) -> None:
    await write_as_another(pool, families(1))
    done = (await backfills.do()).id
    page = f"/ui/backfills/{done}"
    assert "Set</dt><dd>5 rows" in (await visitor.get(page)).text
    for what in ("apply", "pause", "resume", "cancel"):
        refused = await send(visitor, page, f"{page}/{what}")
        assert (refused.status_code, "Nothing was requested" in refused.text) == (409, True), what
    assert await commands_of(settings) == []
    again = started(await send(visitor, page, f"{page}/again"))
    [command] = await commands_of(settings)
    assert (UUID(command.id), command.data) == (
        again,
        BackfillRootsData(scope=WholeTable(), requested_by="local", dry_run=True),
    )


async def test_an_open_run_can_be_paused_and_cancelled(
    visitor: httpx.AsyncClient, settings: Settings, backfills: Backfills
) -> None:
    run = await backfills.request()
    page = f"/ui/backfills/{run}"
    text = (await visitor.get(page)).text
    assert "waiting for its turn" in text.lower()
    assert f'data-run="/backfills/{run}/events"' in text
    for what in ("pause", "cancel"):
        answer = await send(visitor, page, f"{page}/{what}")
        assert answer.headers["location"] == f"{page}?requested={what}"
        assert f"{what} requested" in (await visitor.get(answer.headers["location"])).text
    pause, cancel = await commands_of(settings)
    assert isinstance(pause, PauseBackfill)
    assert isinstance(cancel, CancelBackfill)
    assert {pause.data.run, cancel.data.run} == {run}
    assert (await visitor.get("/ui/backfills?open=true")).text.count(str(run)) == 2


async def test_an_unknown_run_is_not_found(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get(f"/ui/backfills/{uuid4()}")
    assert (answer.status_code, "There is no backfill" in answer.text) == (404, True)


async def test_what_others_called_things_is_shown_and_not_obeyed(
    visitor: httpx.AsyncClient, backfills: Backfills
) -> None:
    run = await backfills.request(scope=GivenJobs(jobs=(HOSTILE, f"{HOSTILE}2")), requested_by=HOSTILE)
    await backfills.pool.execute("UPDATE backfill_runs SET error = $1, status = 'failed'", HOSTILE)
    for page in ("/ui/backfills", f"/ui/backfills/{run}"):
        text = (await visitor.get(page)).text
        assert "<img src=x" not in text
        assert HOSTILE in unescape(text)


async def test_a_reader_sees_backfills_and_may_not_touch_them(
    settings: Settings, backfills: Backfills
) -> None:
    run = await backfills.request()
    tokens = SecretStr("rita read reading-token-0001")
    async with (
        running_api(settings.model_copy(update={"api_tokens": tokens})) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        await client.post("/ui/login", data={"token": "reading-token-0001"})
        text = (await client.get("/ui/backfills")).text + (await client.get(f"/ui/backfills/{run}")).text
        assert str(run) in text
        assert "<form class=" not in text.replace('<form class="find"', "").replace(
            '<form class="session"', ""
        )
        found = CSRF.search(text)
        assert found is not None
        for page in ("/ui/backfills", f"/ui/backfills/{run}/pause"):
            assert (await client.post(page, data={"csrf": found[1]})).status_code == 403
    assert await commands_of(settings) == []


async def test_a_form_that_is_sent_twice_requests_one_run(
    visitor: httpx.AsyncClient, settings: Settings
) -> None:
    key = str(uuid4())
    first, second = [await send(visitor, "/ui/backfills", "/ui/backfills", key=key) for _ in range(2)]
    assert started(first) == started(second) == UUID(key)
    assert {command.id for command in await commands_of(settings)} == {key}
    assert (await send(visitor, "/ui/backfills", "/ui/backfills", key=key, rateLimit="7")).status_code == 409


async def test_an_operator_may_try_to_adopt_and_only_an_admin_do_it(
    settings: Settings, pool: asyncpg.Pool, backfills: Backfills
) -> None:
    await write_as_another(pool, families(1))
    tried = (await backfills.do(dry_run=True, missing_parent=MissingParent.ADOPT)).id
    tokens = SecretStr("otto operate operating-token-01")
    async with (
        running_api(settings.model_copy(update={"api_tokens": tokens})) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        await client.post("/ui/login", data={"token": "operating-token-01"})
        page = f"/ui/backfills/{tried}"
        refused = await send(client, page, f"{page}/apply")
        assert (refused.status_code, "needs the scope admin" in refused.text) == (403, True)
        started(await send(client, page, f"{page}/again"))
    [command] = await commands_of(settings)
    assert command.data == BackfillRootsData(
        scope=WholeTable(), requested_by="otto", missing_parent=MissingParent.ADOPT, dry_run=True
    )


async def test_a_form_of_another_session_is_refused(visitor: httpx.AsyncClient, settings: Settings) -> None:
    await visitor.get("/ui/backfills")
    for fields in ({}, {"csrf": "0" * 64}):
        assert (await visitor.post("/ui/backfills", data=fields)).status_code == 403
    assert await commands_of(settings) == []
