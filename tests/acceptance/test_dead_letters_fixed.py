"""A dead letter is corrected by a command, or over the API: with real processes."""

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
from harness.log_table import stored_rows
from harness.service import running
from harness.settled import wait_until_settled
from harness.topics import header, producing, publish, read_all
from histories import event
from llamalog_schemas import encode
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

TRACK = event(2, "track", "album")
OTHER = replace(TRACK, data=replace(TRACK.data, parent_job_id="right"))
INVALID = json.dumps(json.loads(encode(event(3, "image", "track"))) | {"data": {"status": "FINE"}}).encode()


@pytest.fixture
async def consumers(settings: Settings, tmp_path: Path) -> AsyncIterator[None]:
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        yield


async def sent(settings: Settings) -> int:
    return len(await read_all(settings.kafka, topics(settings.topic_prefix).entity_events.name))


@pytest.mark.usefixtures("consumers")
async def test_an_id_that_is_recorded_otherwise_is_taken_back_and_the_right_event_gets_another(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    command, names = Commands(settings), topics(settings.topic_prefix)
    await publish(settings, [TRACK])
    await wait_until_settled(settings, pool)
    await publish(settings, [OTHER])
    await wait_until_settled(settings, pool)
    fix = ("dead-letters", "fix", "0/0", "--set", "data.status=PARTIAL_SUCCESS", "--set", "data.reason=null")

    printed = await command.done(*fix)
    assert "Nothing was sent: --yes sends it." in printed
    assert f"The row {UUID(int=2)}, which bears its former id, would be taken back." in printed
    assert await sent(settings) == 2
    assert await read_all(settings.kafka, names.overrides.name) == []

    for _ in range(2):
        assert "The event is sent." in await command.done(*fix, "--yes", "--by", "otto")
        await wait_until_settled(settings, pool)
    rows = await stored_rows(pool)
    assert len(rows) == 2
    (corrected,) = [row for row_id, row in rows.items() if row_id != UUID(int=2)]
    assert rows[UUID(int=2)].retracted and not corrected.retracted
    assert (corrected.content.parent_job_id, corrected.content.status) == ("right", "PARTIAL_SUCCESS")
    (listed,) = await command.json_lines("overrides")
    assert (listed["row"], listed["requestedBy"]) == (str(UUID(int=2)), "otto")
    assert listed["reason"].startswith(f"It corrects the dead letter of {names.entity_events.name}/")


@pytest.mark.usefixtures("consumers")
async def test_what_the_contract_refuses_still_is_not_sent_and_what_it_takes_keeps_its_id(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    command = Commands(settings)
    async with producing(settings.kafka) as producer:
        for value in (INVALID, b"no json"):
            await producer.send_and_wait(topics(settings.topic_prefix).entity_events.name, value, b"key")
    await wait_until_settled(settings, pool)
    letters = await read_all(settings.kafka, topics(settings.topic_prefix).dead_letters.name)
    at = {header(one, "reason"): f"{one.partition}/{one.offset}" for one in letters}
    broken, invalid = at.pop("not-json"), at.popitem()[1]

    refused = await command.refused("dead-letters", "fix", invalid, "--set", "data.status=SUCCESS", "--yes")
    assert "the contract refuses the event" in refused and "data" in refused
    unread = await command.refused("dead-letters", "fix", broken, "--set", "data.status=SUCCESS")
    assert "is no CloudEvent in structured JSON" in unread
    assert "No dead letter of 0/99" in await command.refused("dead-letters", "fix", "0/99", "--set", "a=1")
    assert "either --set or --file" in await command.refused("dead-letters", "fix", broken, code=2)
    assert await sent(settings) == 2

    file = tmp_path / "event.json"
    file.write_bytes(encode(event(3, "image", "track")))
    assert "The event is sent." in await command.done(
        "dead-letters", "fix", broken, "--file", str(file), "--yes"
    )
    await wait_until_settled(settings, pool)
    assert set(await stored_rows(pool)) == {UUID(int=3)}


@pytest.mark.usefixtures("consumers")
async def test_over_the_api_an_admin_sends_the_right_event(settings: Settings, pool: asyncpg.Pool) -> None:
    tokens = "otto operate operating-token-01;ada admin admin-token-00001"
    guarded = settings.model_copy(update={"api_tokens": SecretStr(tokens)})
    await publish(settings, [TRACK])
    await wait_until_settled(settings, pool)
    await publish(settings, [OTHER])
    await wait_until_settled(settings, pool)
    right = {"event": json.loads(encode(OTHER)), "reason": "the parent was wrong"}
    path = "/dead-letters/messages/0/{}/corrected"
    async with running_api(guarded) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        client.headers["Authorization"] = "Bearer operating-token-01"
        assert (await client.post(path.format(0), json=right)).status_code == 403
        client.headers["Authorization"] = "Bearer admin-token-00001"
        assert (await client.post(path.format(7), json=right)).status_code == 404
        bad = right | {"event": right["event"] | {"type": "x"}}
        refused = await client.post(path.format(0), json=bad)
        assert (refused.status_code, "the contract refuses the event" in refused.text) == (409, True)
        done = await client.post(path.format(0), json=right)
        assert (done.status_code, done.json()["retracts"]) == (202, str(UUID(int=2)))
        await wait_until_settled(settings, pool)
        row = (await client.get(f"/logs/{done.json()['event']['id']}")).json()
        assert (row["parentJobId"], row["retracted"]) == ("right", False)
        assert (await client.get(f"/logs/{UUID(int=2)}")).json()["retracted"]
