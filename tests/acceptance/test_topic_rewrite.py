"""`llamalog topics rewrite`: a person leaves the topic; consumers go on, nothing is lost, nothing twice."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from harness.commands import Commands, llamalog_here
from harness.environments import environment_of
from harness.erasing import erasure_of_user, said_by
from harness.log_table import differences, stored_rows
from harness.monitored import metrics_of
from harness.service import running
from harness.settled import wait_until_consumed
from harness.started_commands import StartedCommand, started
from harness.topics import producing, publish, publish_events, read_all
from harness.waiting import eventually
from histories import chains, event
from llamalog_schemas.events import Event
from llamalog_service.kafka.reader import TopicAbsentError, read_spans
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

MALFORMED = b'{"data": {"userId": "ada"}, broken'


ERASURE = erasure_of_user("ada", "mail")
BEFORE: list[Event] = [
    *chains(60),
    *(said_by("ada", number) for number in range(3000, 3030)),
    *(said_by("bob", number) for number in range(3100, 3110)),
    ERASURE,
]
UNREAD: list[Event] = [said_by("ada", 3200), said_by("bob", 3201), said_by("ada", 3202)]
AFTER: list[Event] = [said_by("ada", 3300), said_by("bob", 3301)]
LATE: list[Event] = [said_by("ada", 3400)]


async def rebuilt(settings: Settings, folder: Path) -> Any:
    """A comparison of the table with its topics."""
    file = str(folder / "differences.jsonl")
    ended = await llamalog_here(
        "rebuild", "--dry-run", "--json", "--differences", file, environment=settings.as_environment()
    )
    assert ended.code == 0, ended.out + ended.err
    return ended.json


async def rewritten(settings: Settings, *words: str) -> Any:
    """The report of a rewrite."""
    ended = await llamalog_here("topics", "rewrite", "--json", *words, environment=settings.as_environment())
    assert ended.code == 0, ended.out + ended.err
    return ended.json


async def commit_elsewhere(settings: Settings, group: str, offsets: dict[TopicPartition, int]) -> None:
    """Commit offsets as another service does that reads entity events."""
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False
    ) as other:
        other.assign(list(offsets))
        await other.commit(offsets)


async def committed_elsewhere(settings: Settings, group: str, topic: str) -> dict[int, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {at.partition: entry.offset for at, entry in found.items() if at.topic == topic}


async def test_a_person_leaves_the_topic_and_consumers_go_on_in_the_new_one(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"session_seconds": 2.0})
    old = topics_of(settings).entity_events.name
    new = f"{old}-2"
    await publish(settings, BEFORE)
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(old, MALFORMED, b"k")
    group = f"{settings.topic_prefix}reader"
    first = next(one for one in await read_all(settings.kafka, old) if one.offset > 1)
    at = TopicPartition(old, first.partition)
    await commit_elsewhere(settings, group, {at: first.offset})

    async with running("consumer", settings, tmp_path):
        await wait_until_consumed(settings)
        copied = await rewritten(settings)
        assert (copied["target"], copied["copied"], copied["moved"]) == (new, len(BEFORE), False)
        assert "have consumers" in await Commands(settings).refused("topics", "rewrite", "--move")
    await publish(settings, UNREAD)
    archive = str(tmp_path / "archive")
    await Commands(settings).done("archive", archive)
    before = await rebuilt(settings, tmp_path)

    moved = await rewritten(settings, "--move")
    assert (moved["copied"], moved["moved"]) == (len(UNREAD), True)
    assert (moved["records"], moved["changed"]) == (len(BEFORE) + len(UNREAD), 33)
    assert set(moved["groups"]) >= {settings.consumer_group, group}
    kept = await read_all(settings.kafka, new)
    assert not [one for one in kept if b'"ada"' in one.value or b"ada@" in one.value]
    reached = (await committed_elsewhere(settings, group, new))[first.partition]
    (next_one,) = [one for one in kept if (one.partition, one.offset) == (first.partition, reached)]
    assert (next_one.key, next_one.timestamp) == (first.key, first.timestamp)

    async with running("consumer", settings, tmp_path) as mixed:
        assert await mixed.ended() == 78
        assert f"LLAMALOG_ENTITY_EVENTS_TOPIC={new}" in mixed.output

    moved_settings = settings.model_copy(update={"entity_events_topic": new})
    after = await rebuilt(moved_settings, tmp_path)
    assert after["live"] == before["live"]
    assert after["rebuilt"] == before["rebuilt"]
    async with (
        running("consumer", moved_settings, tmp_path) as consumer,
        producing(settings.kafka) as producer,
    ):
        await publish_events(producer, new, AFTER)
        await wait_until_consumed(moved_settings)
        counted = {
            name: value
            for name, value in metrics_of(consumer).items()
            if name.startswith("llamalog_events_total")
        }
        assert sum(counted.values()) == len(UNREAD) + len(AFTER), counted
        assert not [name for name, value in counted.items() if "duplicate" in name and value]
        await publish_events(producer, old, LATE)
        late = await rewritten(moved_settings, "--from", old, "--move")
        assert (late["copied"], late["moved"], "records" in late) == (1, True, True)
        await wait_until_consumed(moved_settings)
    assert f"{old}: it still exists" in await Commands(moved_settings).done("topics", "check")
    refused = await llamalog_here("archive", archive, environment=moved_settings.as_environment())
    assert (refused.code, f"is the archive of {old}" in refused.err) == (1, True)
    assert differences(await stored_rows(pool), [*BEFORE, *UNREAD, *AFTER, *LATE]) == []
    await rebuilt(moved_settings, tmp_path)


async def test_a_rewrite_that_is_killed_and_interrupted_copies_each_message_once(
    settings: Settings, tmp_path: Path
) -> None:
    old = topics_of(settings).entity_events.name
    values = [f"{number}".encode().ljust(20_000, b".") for number in range(1500)]
    async with producing(settings.kafka) as producer:
        for number, value in enumerate(values):
            await producer.send(old, value, partition=number % 2)
        await producer.flush()

    async def copied() -> int:
        try:
            spans = await read_spans(settings, f"{old}-2")
        except TopicAbsentError:
            return 0
        return sum(span.end for span in spans.values())

    for by in (signal.SIGKILL, signal.SIGINT):
        before = await copied()
        rewriting = await started("topics", "rewrite", environment=environment_of(settings), folder=tmp_path)

        async def is_at_work(before: int = before, rewriting: StartedCommand = rewriting) -> bool:
            return await copied() > before or rewriting.process.returncode is not None

        await eventually(is_at_work)
        with suppress(ProcessLookupError):  # a fast machine may have copied all
            rewriting.process.send_signal(by)
        assert (await rewriting.ended()).code in {0, 130, -9}
    moved = await rewritten(settings, "--move")
    assert (moved["records"], moved["changed"]) == (len(values), 0)
    kept = await read_all(settings.kafka, f"{old}-2")
    for partition in (0, 1):
        assert [one.value for one in kept if one.partition == partition] == values[partition::2]


async def test_dead_letters_are_rewritten_and_shown_without_the_person(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"session_seconds": 2.0})
    await publish(settings, [event(1, "a")])
    old = topics_of(settings).dead_letters.name
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(topics_of(settings).entity_events.name, MALFORMED, b"k")
    async with running("consumer", settings, tmp_path):
        await wait_until_consumed(settings)
    await publish(settings, [ERASURE])
    (kept,) = await read_all(settings.kafka, old)
    assert kept.value == MALFORMED
    (shown,) = await Commands(settings, "dead-letters").json_lines("list")
    assert "ada" not in json.dumps(shown)
    assert '"ada"' not in await Commands(settings, "dead-letters").done("show", shown["where"], "--json")

    moved = await rewritten(settings, "--topic", "dead-letters", "--move")
    assert (moved["records"], moved["changed"]) == (1, 1)
    moved_settings = settings.model_copy(update={"dead_letters_topic": f"{old}-2"})
    (found,) = await read_all(settings.kafka, f"{old}-2")
    assert (found.key, found.timestamp) == (kept.key, kept.timestamp)
    assert b"ada" not in found.value
    (again,) = await Commands(moved_settings, "dead-letters").json_lines("list")
    assert again == shown
