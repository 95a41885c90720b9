"""An event is taken back by a command, or over the API: with real processes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from harness.api import running_api
from harness.commands import Commands
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.service import running
from harness.settled import wait_until_settled
from harness.topics import publish, read_all
from histories import event
from llamalog_schemas import EventRetracted, decode_event, row_id_of
from llamalog_schemas.producer import RetractionError, retract
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

ALBUM, TRACK, IMAGE = event(1, "album"), event(2, "track", "album"), event(3, "image", "track")
ROW = UUID(int=2)


@pytest.fixture
async def consumers(settings: Settings, tmp_path: Path) -> AsyncIterator[None]:
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        yield


async def roots(pool: asyncpg.Pool) -> dict[int, str | None]:
    return {row.int: one.root.root_job_id for row, one in (await stored_rows(pool)).items()}


@pytest.mark.usefixtures("consumers")
async def test_an_event_is_taken_back_and_that_revoked_and_every_reader_hears_of_it(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    command, names = Commands(settings), topics(settings.topic_prefix)
    await publish(settings, [ALBUM, TRACK, IMAGE])
    await wait_until_settled(settings, pool)
    assert await roots(pool) == {1: "album", 2: "album", 3: "album"}

    assert "gives no reason" in await command.refused("retract", str(ROW), "--reason", " ")
    unknown = await command.refused("retract", str(UUID(int=9)), "--reason", "x")
    assert f"There is no row {UUID(int=9)} in the log." in unknown
    assert "is not retracted" in await command.refused("retract", str(ROW), "--revoke", "--reason", "x")
    assert "or both --producer and --event-id" in await command.refused("retract", "--reason", "x", code=2)
    assert await read_all(settings.kafka, names.overrides.name) == []

    printed = await command.done("retract", str(ROW), "--reason", "it named the wrong parent", "--by", "otto")
    assert f"the row {ROW} (track:created:test) claims nothing any more" in printed
    await wait_until_settled(settings, pool)
    assert await roots(pool) == {1: "album", 2: "track", 3: "track"}
    stored = await stored_rows(pool)
    assert stored[ROW].retracted
    records = await read_all(settings.kafka, names.provenance.name)
    assert believed(record.value for record in records) == as_stored(stored)
    (ordered,) = await read_all(settings.kafka, names.overrides.name)
    retraction = decode_event(ordered.value or b"")
    assert isinstance(retraction, EventRetracted)
    assert (retraction.data.row_id, retraction.data.requested_by) == (ROW, "otto")
    assert differences(stored, [ALBUM, TRACK, IMAGE, retraction]) == []

    (listed,) = await command.json_lines("overrides")
    assert (listed["kind"], listed["state"], listed["row"]) == ("event-retracted", "IN_EFFECT", str(ROW))
    assert "retracted by otto: it named the wrong parent  (in effect)" in await command.done("overrides")
    assert "retracted" in await command.done("logs", "--job", "track")
    report = json.loads(await command.done("rebuild", "--dry-run", "--json"))
    assert (report["differences"]["different"], report["overridesDiffering"]) == (0, 0)

    await command.done("retract", str(ROW), "--revoke", "--reason", "it was right")
    await wait_until_settled(settings, pool)
    assert await roots(pool) == {1: "album", 2: "album", 3: "album"}
    assert [one["state"] for one in await command.json_lines("overrides")] == ["IN_EFFECT", "REVOKED"]


@pytest.mark.usefixtures("consumers")
async def test_an_event_whose_id_is_no_uuid_is_taken_back_before_it_comes(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    command = Commands(settings)
    named = ("--producer", "/tests", "--event-id", "import/7", "--reason", "sent by mistake")
    assert "There is no row" in await command.refused("retract", *named)
    await command.done("retract", *named, "--unseen")
    await publish(settings, [replace(TRACK, id="import/7"), ALBUM])
    await wait_until_settled(settings, pool)
    row = (await stored_rows(pool))[row_id_of("/tests", "import/7")]
    assert (row.retracted, row.root.root_job_id, row.content.parent_job_id) == (True, "track", "album")


@pytest.mark.usefixtures("consumers")
async def test_over_the_api_a_producer_takes_back_its_own_events_alone(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    tokens = (
        "otto operate operating-token-01;ada admin admin-token-00001;"
        "tests read producer-token-01 producer=/tests;other read producer-token-02 producer=/an%20other"
    )
    guarded = settings.model_copy(update={"api_tokens": SecretStr(tokens)})
    await publish(settings, [ALBUM, TRACK, IMAGE])
    await wait_until_settled(settings, pool)
    asked = {"rowId": str(ROW), "reason": "it named the wrong parent"}
    async with running_api(guarded) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:

        async def post(token: str, **body: object) -> tuple[int, str]:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.post("/retractions", json=asked | body, headers=headers)
            return answer.status_code, answer.text

        status, said = await post("operating-token-01")
        assert (status, "needs the scope admin" in said) == (403, True)
        status, said = await post("producer-token-02")
        assert (status, "is of /tests, and this token may take back events of /an other alone" in said) == (
            403,
            True,
        )
        assert (await post("producer-token-01", rowId=str(UUID(int=9)), unseen=True))[0] == 404
        assert (await post("producer-token-01", reason=" "))[0] == 422
        with pytest.raises(RetractionError, match="of /an other alone") as refused:
            await retract(api.url, "producer-token-02", TRACK, reason="x")
        assert refused.value.status == 403
        await retract(f"{api.url}/", "producer-token-01", TRACK, reason="it named the wrong parent")
        await wait_until_settled(settings, pool)
        status, said = await post("admin-token-00001")
        assert (status, "is retracted already" in said) == (409, True)
        (one,) = await Commands(settings).json_lines("overrides")
        assert one["requestedBy"] == "tests"

        headers = {"Authorization": "Bearer producer-token-02"}
        row = (await client.get(f"/logs/{ROW}", headers=headers)).json()
        assert (row["retracted"], row["parentConflict"], row["rootJobId"]) == (True, False, "track")
        page = (await client.get(f"/ui/logs/{ROW}", headers=headers)).text
        assert "retracted" in page and "it named the wrong parent" in page
        listed = (await client.get("/ui/overrides", headers=headers)).text
        assert str(ROW) in listed and "retracted" in listed
        timeline = (await client.get("/ui/logs?job=track", headers=headers)).text
        assert "retracted" in timeline

        assert (await post("admin-token-00001", revoke=True))[0] == 202
        await wait_until_settled(settings, pool)
        assert await roots(pool) == {1: "album", 2: "album", 3: "album"}
        assert (await post("admin-token-00001", rowId=str(UUID(int=9)), unseen=True))[0] == 202
