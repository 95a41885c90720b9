"""The known database, adopted and published: the topic gives every row back, to consumers and to rebuilds."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from msgspec.structs import replace
from pydantic import SecretStr

from acceptance.test_album_summaries import expected, is_reached, service
from harness.adopter import Adopter
from harness.commands import llamalog_here
from harness.environments import environment_of
from harness.installation import installation
from harness.legacy.contents import contents
from harness.legacy.database import (
    differences,
    make_known_database,
    read_kept_aside,
)
from harness.legacy.known import ROWS
from harness.legacy.schemas import StartingPoint
from harness.log_table import stored_rows
from harness.service import running
from harness.settled import wait_until_settled
from harness.started_commands import Ended, started
from harness.topics import delete_topic, end_offsets, publish, read_all, until_topic_has_messages
from llamalog_schemas.codec import decode_event, decode_provenance, encode
from llamalog_schemas.events import Category, EntityType
from llamalog_service.kafka.publisher import provenance_record
from llamalog_service.kafka.topics import create_topics, topics
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings
from llamalog_tools.demo.day import generate_day
from llamalog_tools.devstack import LocalStack

pytestmark = pytest.mark.apache_kafka


@pytest.fixture
async def adopted(adopter: Adopter, stack: LocalStack) -> AsyncIterator[Settings]:
    """An installation on the known database, taken over."""
    await make_known_database(adopter.url, StartingPoint.ROOTS, lost_tops=True)
    ended = await adopter.adopt("--yes")
    assert ended.code == 0, ended.err
    async with installation(stack, adopter.url, f"test-{uuid4().hex[:8]}.") as settings:
        yield settings


async def command(settings: Settings, folder: Path, *words: str) -> Ended:
    """Run a command to its good end in this process; what it leaves in a file goes into the folder."""
    files = ("--differences", str(folder / "differences.jsonl")) if words[0] == "rebuild" else ()
    ended = await llamalog_here(*words, *files, "--json", environment=settings.as_environment())
    assert ended.code == 0, ended.err
    return ended


def _type(word: str | None) -> EntityType | None:
    return None if word is None else EntityType(word)


async def overrides_of(pool: asyncpg.Pool) -> list[tuple[object, ...]]:
    records = await pool.fetch(
        "SELECT id, job_id, adopted, reason, requested_by, overridden_at FROM root_overrides ORDER BY id"
    )
    return [tuple(record) for record in records]


async def test_the_topic_gives_back_every_row_of_an_adopted_database(
    adopter: Adopter, adopted: Settings, database_url: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    before = await contents(adopter.url)
    topic = topics(adopted.topic_prefix).entity_events.name
    killed = await started("publish-legacy", environment=environment_of(adopted), folder=tmp_path)
    await until_topic_has_messages(adopted.kafka, topic, 120)
    killed.process.send_signal(signal.SIGKILL)
    await killed.ended()
    published_before = sum((await end_offsets(adopted.kafka, topic)).values())
    report = (await command(adopted, tmp_path, "publish-legacy")).json
    assert (report["unpublishable"], report["rowsLeft"]) == ([], ROWS)
    published = {decode_event(record.value).id for record in await read_all(adopted.kafka, topic)}
    assert published >= set(before)
    assert (published_before < ROWS) == report["resumed"] or published_before <= 200
    refused = await llamalog_here("rebuild", environment=adopted.as_environment())
    assert (refused.code, "4,052 rows" in refused.err) == (1, True), refused.err

    async with create_pool(adopter.url, min_size=0) as old_pool:
        async with running("consumer", adopted, tmp_path), running("migration-consumer", adopted, tmp_path):
            await wait_until_settled(adopted, old_pool, within=120)
        after = await contents(adopter.url)
        marked = {row_id: row | {"legacy_sourced": "true"} for row_id, row in before.items()}
        assert differences(after, marked) == []
        again = (await command(adopted, tmp_path, "publish-legacy")).json
        assert (again["rows"], again["overridesLeft"], again["rowsLeft"]) == (0, 0, 0)
        rebuilt = (await command(adopted, tmp_path, "rebuild")).json
        assert (rebuilt["rebuilt"]["rows"], rebuilt["overridesDiffering"]) == (ROWS, 0)

        folder = tmp_path / "archive"
        archived = (await command(adopted, tmp_path, "archive", str(folder))).json
        assert archived["messages"] == sum((await end_offsets(adopted.kafka, topic)).values())
        await command(adopted, tmp_path, "archive", str(folder), "--check")
        from_file = (await command(adopted, tmp_path, "rebuild", "--from-file", str(folder))).json
        assert from_file["rebuilt"] == rebuilt["rebuilt"]

        empty = adopted.model_copy(
            update={"database_url": SecretStr(database_url), "consumer_group": f"{adopted.topic_prefix}anew"}
        )
        async with running("consumer", empty, tmp_path), running("migration-consumer", empty, tmp_path):
            await wait_until_settled(empty, pool, within=120)
        assert differences(await contents(database_url), after) == []
        assert await overrides_of(pool) == await overrides_of(old_pool)
    assert await read_kept_aside(database_url) == await read_kept_aside(adopter.url)
    dead_letters = topics(adopted.topic_prefix).dead_letters.name
    assert await read_all(adopted.kafka, dead_letters) == []


async def test_a_reader_rebuilds_its_view_from_the_topic_and_from_a_republishing(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    await publish(settings, generate_day(8, seed=3))
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)
    current = [provenance_record(row) for row in (await stored_rows(pool)).values()]
    rows = [decode_provenance(encode(record)).data for record in current]
    rows = [replace(row, category=Category(row.category), entity_type=_type(row.entity_type)) for row in rows]
    wanted = {album: summary for album, summary in expected(rows).items() if album != "None"}
    assert len(wanted) > 5

    topic = names.provenance.name
    with service(settings, topic, tmp_path / "from-topic.sqlite"):
        await is_reached(tmp_path / "from-topic.sqlite", wanted)

    await delete_topic(settings.kafka, topic)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await create_topics(admin, names)
    finally:
        await admin.close()
    lost = tmp_path / "republished.sqlite"
    with service(settings, topic, lost):
        republished = (await command(settings, tmp_path, "provenance", "republish", "--rate", "2000")).json
        assert republished == {"rows": len(rows)}
        await is_reached(lost, wanted)
    records = await read_all(settings.kafka, topic)
    assert {dict(record.headers)["llamalog-replayed"] for record in records} == {b"true"}
    assert len(records) == len(rows)

    root = rows[0].root_job_id
    below = sum(row.root_job_id == root for row in rows)
    some = (await command(settings, tmp_path, "provenance", "republish", "--root", str(root))).json
    assert some == {"rows": below}
    none = await command(settings, tmp_path, "provenance", "republish", "--since", "2099-01-01")
    assert none.json == {"rows": 0}
