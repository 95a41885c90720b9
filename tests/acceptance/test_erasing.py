"""A person is erased by a command, or over the API: with real processes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
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
from llamalog_schemas import EntityEvent, UserErased, decode_event, user_digest
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

ADA, BOB = "7c1f", "9a02"


def of_user(number: int, user: str) -> EntityEvent:
    made = event(number, f"job-{number}")
    return replace(made, data=replace(made.data, user_id=user, metadata={"editor": user, "track": number}))


@pytest.fixture
def erasing(settings: Settings) -> Settings:
    return settings.model_copy(update={"personal_metadata": "editor, mail"})


@pytest.fixture
async def consumers(erasing: Settings, tmp_path: Path) -> AsyncIterator[None]:
    async with running("consumer", erasing, tmp_path), running("migration-consumer", erasing, tmp_path):
        yield


async def people(pool: asyncpg.Pool) -> dict[int, tuple[str | None, Any, bool]]:
    rows = await stored_rows(pool)
    return {row.int: (one.content.user_id, one.content.metadata, one.erased) for row, one in rows.items()}


@pytest.mark.usefixtures("consumers")
async def test_a_person_is_counted_then_erased_from_what_is_there_and_from_what_comes(
    erasing: Settings, pool: asyncpg.Pool
) -> None:
    command, names = Commands(erasing), topics(erasing.topic_prefix)
    await publish(erasing, [of_user(1, ADA), of_user(2, BOB), of_user(3, ADA)])
    await wait_until_settled(erasing, pool)
    before = await people(pool)

    printed = await command.done("erase", "--user", ADA)
    assert "2 rows, 0 removed rows and 0 dead letters name the person." in printed
    assert "Metadata keys removed from the rows: editor, mail." in printed
    assert "Nothing was changed." in printed
    assert await read_all(erasing.kafka, names.overrides.name) == []
    assert "needs a reason" in await command.refused("erase", "--user", ADA, "--yes", code=2)
    held = await command.refused("erase", "--user", ADA, "--yes", "--reason", f"request of {ADA}")
    assert "holds the id that is to be erased" in held
    assert await people(pool) == before

    printed = await command.done("erase", "--user", ADA, "--yes", "--reason", "their request", "--by", "otto")
    assert "is published: once it is read" in printed
    await wait_until_settled(erasing, pool)
    await publish(erasing, [of_user(4, ADA)])
    await wait_until_settled(erasing, pool)
    assert await people(pool) == {
        1: (None, {"track": 1}, True),
        2: (BOB, {"editor": BOB, "track": 2}, False),
        3: (None, {"track": 3}, True),
        4: (None, {"track": 4}, True),
    }

    stored = await stored_rows(pool)
    records = await read_all(erasing.kafka, names.provenance.name)
    assert believed(record.value for record in records) == as_stored(stored)
    (ordered,) = await read_all(erasing.kafka, names.overrides.name)
    assert ADA.encode() not in (ordered.value or b"")
    erasure = decode_event(ordered.value or b"")
    assert isinstance(erasure, UserErased)
    assert (erasure.data.user_digest, erasure.data.requested_by) == (user_digest(ADA), "otto")
    (listed,) = await command.json_lines("overrides")
    assert (listed["kind"], listed["state"], listed["rows"]) == ("user-erased", "IN_EFFECT", 2)
    assert "erased by otto: their request  (in effect, 2 rows erased)" in await command.done("overrides")

    events = [
        decode_event(one.value or b"") for one in await read_all(erasing.kafka, names.entity_events.name)
    ]
    assert differences(stored, [*events, erasure]) == []
    report = json.loads(await command.done("rebuild", "--dry-run", "--json"))
    assert (report["differences"]["different"], report["overridesDiffering"]) == (0, 0)


@pytest.mark.usefixtures("consumers")
async def test_the_api_counts_first_and_erases_for_an_admin_alone(
    erasing: Settings, pool: asyncpg.Pool
) -> None:
    guarded = erasing.model_copy(
        update={"api_tokens": SecretStr("otto operate operating-token-01;ada admin admin-token-00001")}
    )
    await publish(erasing, [of_user(1, ADA)])
    await wait_until_settled(erasing, pool)
    async with running_api(guarded) as api, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        client.headers["Authorization"] = "Bearer operating-token-01"
        assert (await client.post("/erasures", json={"userId": ADA})).status_code == 403
        client.headers["Authorization"] = "Bearer admin-token-00001"
        counted = await client.post("/erasures", json={"userId": ADA})
        assert (counted.status_code, counted.json()["rows"], counted.json()["erasure"]) == (200, 1, None)
        refused = await client.post("/erasures", json={"userId": ADA, "dryRun": False})
        assert (refused.status_code, "gives no reason" in refused.json()["detail"]) == (409, True)
        done = await client.post("/erasures", json={"userId": ADA, "dryRun": False, "reason": "a request"})
        assert (done.status_code, done.json()["erasure"]["data"]["requestedBy"]) == (200, "ada")
        assert done.json()["erasure"]["data"]["metadataKeys"] == ["editor", "mail"]
        await wait_until_settled(erasing, pool)
        (listed,) = (await client.get("/overrides")).json()["items"]
        assert (listed["userDigest"], listed["requestedBy"]) == (user_digest(ADA), "ada")
        row = (await client.get(f"/logs/{UUID(int=1)}")).json()
        assert (row["userId"], row["erased"]) == (None, True)
        page = await client.get("/ui/overrides")
        assert user_digest(ADA)[:12] in page.text and "1 rows erased" in page.text
