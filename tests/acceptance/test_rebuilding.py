"""`llamalog rebuild` over Kafka: loads, compares, repairs, refuses; also beside running consumers."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import PolicyViolationError

from harness.commands import llamalog_here
from harness.environments import environment_of
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.service import running
from harness.settled import wait_until_settled
from harness.started_commands import Ended, started
from harness.topics import lag, publish, read_all
from harness.waiting import eventually
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.locks import REBUILD_LOCK
from llamalog_service.settings import Settings

EVENTS: list[Event] = [
    *chains(300),
    event(2000, "orphan", "never"),
    event(2001),
    event(2002, "a", "b"),
    event(2003, "b", "a"),
    override(2004, "never"),
]
ROWS = len(EVENTS) - 1
AT_ONCE = ("--convergence-timeout", "0")
DIFFERENCES = "rebuild-differences.jsonl"


async def rebuild(settings: Settings, folder: Path, *words: str) -> Ended:
    """Rebuild in this process; its differences go into the folder."""
    options = ("--differences", str(folder / DIFFERENCES), "--json")
    return await llamalog_here("rebuild", *options, *words, environment=settings.as_environment())


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / DIFFERENCES).read_text().splitlines()]


async def test_an_empty_database_is_loaded_compared_tampered_with_and_repaired(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, EVENTS)
    loaded = await rebuild(settings, tmp_path)
    assert (loaded.code, loaded.json["loaded"], loaded.json["rebuilt"]["rows"]) == (0, True, ROWS)
    assert differences(await stored_rows(pool), EVENTS) == []

    await pool.execute("UPDATE llama_logs SET root_job_id = 'wrong' WHERE id = $1", UUID(int=2))
    await pool.execute("DELETE FROM llama_logs WHERE id = $1", UUID(int=7))
    found = await rebuild(settings, tmp_path, *AT_ONCE)
    assert (found.code, found.json["differences"]["different"], found.json["differences"]["missing"]) == (
        3,
        1,
        1,
    )
    assert [(line["kind"], line["id"]) for line in lines(tmp_path)] == [
        ("different", str(UUID(int=2))),
        ("missing", str(UUID(int=7))),
    ]
    assert found.json["rebuilt"]["checksum"] == loaded.json["rebuilt"]["checksum"]
    file = ("--differences", str(tmp_path / DIFFERENCES))
    shown = await llamalog_here("rebuild", *AT_ONCE, *file, environment=settings.as_environment())
    assert shown.code == 3
    assert "2 rows differ (1 missing, 0 extra, 1 different)" in shown.out
    assert "Columns that differ: root_job_id 1." in shown.out

    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin) "
        "VALUES ($1, 'forged', 'CREATED', 'SUCCESS', 'UNTRACKED')",
        UUID(int=9999),
    )
    assert (await rebuild(settings, tmp_path, *AT_ONCE, "--repair", "--max-deletes", "0")).code == 1
    assert (await rebuild(settings, tmp_path, *AT_ONCE, "--repair")).code == 0
    assert differences(await stored_rows(pool), EVENTS) == []
    assert await pool.fetchval("SELECT row_id FROM removed_rows") == UUID(int=9999)
    provenance = await read_all(settings.kafka, topics(settings.topic_prefix).provenance.name)
    assert [message.key for message in provenance if message.value is None] == [str(UUID(int=9999)).encode()]
    assert set(believed(message.value for message in provenance)) == {UUID(int=2), UUID(int=7)}
    renamed = settings.model_copy(update={"consumer_group": f"{settings.consumer_group}-renamed"})
    assert (await rebuild(renamed, tmp_path, *AT_ONCE, "--repair")).json["deleted"] == 0
    clean = await rebuild(renamed, tmp_path, "--dry-run")
    assert (clean.code, clean.json["live"]) == (0, loaded.json["rebuilt"])
    assert not (tmp_path / DIFFERENCES).exists()


async def test_an_archive_alone_loads_an_empty_database_without_kafka(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, EVENTS)
    folder = tmp_path / "archive"
    archived = await llamalog_here("archive", str(folder), environment=settings.as_environment())
    assert archived.code == 0, archived.err
    without = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    assert (await rebuild(without, tmp_path, "--archive-only")).code == 2
    loaded = await rebuild(without, tmp_path, "--from-file", str(folder), "--archive-only")
    assert (loaded.code, loaded.json["loaded"]) == (0, True), loaded.err
    assert differences(await stored_rows(pool), EVENTS) == []
    refused = await rebuild(without, tmp_path, "--from-file", str(folder), "--archive-only")
    assert (refused.code, "The live table is not empty" in refused.err) == (1, True)


@pytest.mark.apache_kafka
async def test_a_consumer_continues_after_an_initial_load_and_reads_nothing_again(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, EVENTS)
    await rebuild(settings, tmp_path)
    topic = topics(settings.topic_prefix).entity_events.name
    assert await lag(settings.kafka, settings.consumer_group, topic) == 0
    later = event(3000, "later", "root-1")
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await publish(settings, [later])
        await wait_until_settled(settings, pool)
    assert differences(await stored_rows(pool), [*EVENTS, later]) == []
    published = await read_all(settings.kafka, topics(settings.topic_prefix).provenance.name)
    assert set(believed(message.value for message in published)) == {UUID(int=3000)}


async def test_beside_running_consumers_nothing_differs_and_tampered_rows_are_repaired(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    published: list[Event] = list(EVENTS)
    await publish(settings, EVENTS)
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)
        await pool.execute("UPDATE llama_logs SET metadata = '{}' WHERE id = $1", UUID(int=5))
        is_over = asyncio.Event()

        async def go_on() -> None:
            for number in range(10_000, 1_000_000, 300):
                some: list[Event] = [*chains(300, number)]
                some.reverse()  # children first: their roots are repaired later
                published.extend(some)
                await publish(settings, some)
                if is_over.is_set():
                    return

        going_on = asyncio.create_task(go_on())
        repaired = await rebuild(settings, tmp_path, "--repair")
        clean = await rebuild(settings, tmp_path)
        is_over.set()
        await going_on
        await wait_until_settled(settings, pool)
    assert repaired.code == 0
    assert repaired.json["repaired"] == 1
    assert (clean.code, clean.json["differences"]["missing"], clean.json["differences"]["extra"]) == (0, 0, 0)
    assert differences(await stored_rows(pool), published) == []


async def is_at_work(pool: asyncpg.Pool) -> bool:
    """Whether a rebuild holds its lock and has read something."""
    if await pool.fetchval("SELECT to_regclass('llamalog_rebuild.positions') IS NULL"):
        return False
    return bool(
        await pool.fetchval(
            "SELECT EXISTS (SELECT FROM llamalog_rebuild.positions) "
            "AND EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1)",
            REBUILD_LOCK,
        )
    )


async def test_killed_or_interrupted_it_leaves_the_live_table_as_it_was_and_resumes(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, chains(6000))
    environment = environment_of(settings)
    for by in (signal.SIGKILL, signal.SIGINT):
        rebuilding = await started("rebuild", environment=environment, folder=tmp_path)

        await eventually(lambda: is_at_work(pool))
        ended = await rebuilding.stop(by)
        assert ended.code == (-9 if by is signal.SIGKILL else 130), ended.err
        assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 0
    report = await rebuild(settings, tmp_path)
    assert (report.code, report.json["messages"], report.json["rebuilt"]["rows"]) == (0, 6000, 6000)
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 6000


async def set_cleanup_policy(admin: AIOKafkaAdminClient, topic: str, policy: str) -> None:
    """Set it, and wait until the broker describes the topic so."""
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": policy})])

    async def is_described() -> bool:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        entries = [entry for answer in answers for found in answer.resources for entry in found[4]]
        return any(entry[:2] == ("cleanup.policy", policy) for entry in entries)

    await eventually(is_described)


@pytest.mark.apache_kafka
async def test_a_compacted_topic_and_one_without_its_beginning_are_refused(
    settings: Settings, tmp_path: Path
) -> None:
    await publish(settings, EVENTS)
    topic = topics(settings.topic_prefix).entity_events.name
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await set_cleanup_policy(admin, topic, "compact")
        refused = await rebuild(settings, tmp_path)
        assert refused.code == 1
        assert "is compacted" in refused.err
        await set_cleanup_policy(admin, topic, "delete")

        async def records_are_deleted() -> bool:
            """The log of the partition has the new policy a moment after the topic's configuration."""
            try:
                await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(3)})
            except PolicyViolationError:
                return False
            return True

        await eventually(records_are_deleted)
        refused = await rebuild(settings, tmp_path)
        assert refused.code == 1
        assert "partition 0 begins at 3" in refused.err
    finally:
        await admin.close()


async def test_on_request_every_row_is_republished_and_marked_as_replayed(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, chains(6))
    topic = topics(settings.topic_prefix).provenance.name
    only = ("--only", "root=root-4", "--only", f"entity={UUID(int=1_000_001)}")
    assert (await rebuild(settings, tmp_path, "--republish", *only)).json["republished"] == 4
    assert set(believed(message.value for message in await read_all(settings.kafka, topic))) == {
        UUID(int=number) for number in (1, 4, 5, 6)
    }
    assert (await rebuild(settings, tmp_path, "--republish")).code == 0
    published = await read_all(settings.kafka, topic)
    assert believed(message.value for message in published) == as_stored(await stored_rows(pool))
    assert {message.headers[-1] for message in published} == {("llamalog-replayed", b"true")}


async def test_interrupted_while_it_republishes_it_reports_the_rebuild_which_is_done(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, EVENTS)
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE publishing_progress")
        republishing = await started(
            "rebuild", "--republish", "--json", environment=environment_of(settings), folder=tmp_path
        )

        async def waits() -> bool:
            return bool(
                await pool.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_locks "
                    "WHERE relation = 'publishing_progress'::regclass AND NOT granted)"
                )
            )

        await eventually(waits)
        ended = await republishing.stop(signal.SIGINT)
    assert (ended.code, ended.json["loaded"], ended.json["republished"]) == (130, True, None), ended.err
    assert "The rebuild is done; `llamalog provenance republish` with --resume continues" in ended.err
    assert differences(await stored_rows(pool), EVENTS) == []


async def test_a_file_of_differences_that_can_not_be_written_is_refused_before_anything_is_read(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, EVENTS)
    refused = await rebuild(settings, tmp_path, "--differences", "absent/file.jsonl")
    assert (refused.code, "can't be written to absent/file.jsonl" in refused.err) == (1, True), refused.err
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 0


async def test_without_its_topic_it_is_refused(settings: Settings, tmp_path: Path) -> None:
    elsewhere = settings.model_copy(update={"topic_prefix": "nowhere."})
    refused = await rebuild(elsewhere, tmp_path)
    assert refused.code == 1
    assert "There is no topic nowhere.entity-events" in refused.err
