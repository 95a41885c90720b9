"""`llamalog dead-letters`, as an operator uses it, on what a real broker keeps."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from acceptance.starts import clean_environment
from harness.commands import Commands
from harness.environments import environment_of
from harness.log_table import differences, stored_rows
from harness.service import running
from harness.settled import wait_until_consumed, wait_until_settled
from harness.started_commands import AS_A_JOB
from harness.topics import header, producing, publish_events, read_all, until_topic_has_messages
from harness.writers import Message
from histories import event
from llamalog_schemas.codec import STRUCTURED_HEADERS, Headers, encode
from llamalog_schemas.events import Event
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topics import Topics, topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

CONFLICT = "id-conflict"


def names_of(settings: Settings) -> Topics:
    return topics(settings.topic_prefix)


def a_dead_letter(
    settings: Settings,
    offset: int,
    value: bytes,
    *,
    reason: str = CONFLICT,
    key: bytes | None = b"key",
    headers: Headers = STRUCTURED_HEADERS,
    topic: str | None = None,
) -> RejectedRecord:
    """A dead letter of a message that was read at an offset of partition 3."""
    topic = topic or names_of(settings).entity_events.name
    record = Message(value, offset, 3, key, headers, topic)
    return RejectedRecord(record, DeadLetter(reason, f"error of {offset}"))


async def keep(settings: Settings, *rejected: RejectedRecord) -> None:
    async with producing(settings.kafka) as producer:
        messages = [dead_letter_message(one) for one in rejected]
        await MessageProducer(producer).send(names_of(settings).dead_letters.name, messages)


async def sent_back(settings: Settings) -> list[ConsumerRecord]:
    return await read_all(settings.kafka, names_of(settings).entity_events.name)


@pytest.fixture
def dead_letters(settings: Settings) -> Commands:
    return Commands(settings, "dead-letters")


async def test_dead_letters_are_listed_filtered_and_counted(
    settings: Settings, dead_letters: Commands
) -> None:
    commands = names_of(settings).backfill_commands.name
    await keep(
        settings,
        a_dead_letter(settings, 1, b"no json", reason="not-json"),
        a_dead_letter(settings, 2, b"\xff", reason="not-utf8", key=b"\xfe"),
        a_dead_letter(settings, 3, b"{}", reason="not-json", key=None, topic=commands),
    )
    events = names_of(settings).entity_events.name
    assert [
        (listed["where"], listed["reason"], listed["key"]) for listed in await dead_letters.json_lines("list")
    ] == [
        (f"{events}/3/1", "not-json", {"text": "key"}),
        (f"{events}/3/2", "not-utf8", {"hex": "fe"}),
        (f"{commands}/3/3", "not-json", {"text": None}),
    ]

    async def found(*filters: str) -> list[str]:
        return [
            listed["where"].rpartition("/")[2] for listed in await dead_letters.json_lines("list", *filters)
        ]

    assert await found("--reason", "not-json") == ["1", "3"]
    assert await found("--reason", "not-json", "--topic", "entity-events") == ["1"]
    assert await found("--topic", events) == ["1", "2"]
    assert await found("--limit", "2") == ["2", "3"]
    assert await found("--since", "2100-01-01") == []
    assert await found("--since", "2020-01-01T12:00+01:00", "--until", "2100-01-01") == ["1", "2", "3"]
    assert await found("--until", "2020-01-01T12:00") == []
    assert await dead_letters.json_lines("count") == [
        {"total": 3, "byReason": {"not-json": 2, "not-utf8": 1}}
    ]
    printed = await dead_letters.done("list", "--limit", "1")
    assert f"{commands}/3/3" in printed
    assert "The newest 1 of 3" in printed
    assert re.search(r"2\s+not-json", printed)


async def test_a_dead_letter_is_shown_with_its_headers_and_bytes_as_text_or_in_hex(
    settings: Settings, dead_letters: Commands
) -> None:
    headers: Headers = [("trace", None), ("odd", b"\xff\xfe"), ("llamalog-reason", b"of its own")]
    await keep(
        settings,
        a_dead_letter(settings, 7, "Dvořák\x1b[31m".encode(), key=None, headers=headers),
        a_dead_letter(settings, 8, b"\x00\xffbytes", key=b"k"),
    )
    (shown,) = await dead_letters.json_lines("show", "entity-events/3/7")
    assert (shown["reason"], shown["error"], shown["key"]) == (CONFLICT, "error of 7", {"text": None})
    assert shown["headers"] == [
        {"name": "trace", "text": None},
        {"name": "odd", "hex": "fffe"},
        {"name": "llamalog-reason", "text": "of its own"},
    ]
    assert shown["value"] == {"text": "Dvořák\x1b[31m"}
    printed = await dead_letters.done("show", "entity-events/3/7")
    assert "Dvořák" in printed
    assert "\x1b[31m" not in printed, "a terminal would obey it"
    assert "00 ff 62 79 74 65 73" in await dead_letters.done("show", "entity-events/3/8")
    assert "44 76 6f" in await dead_letters.done("show", "entity-events/3/7", "--hex")
    assert "No dead letter of" in await dead_letters.refused("show", "entity-events/3/9")
    assert "is not of the form topic/partition/offset" in await dead_letters.refused("show", "there", code=2)


ODD_MESSAGES: dict[str, tuple[bytes | None, Headers]] = {
    "a null key": (None, STRUCTURED_HEADERS),
    "an empty key and no header": (b"", []),
    "a key that is no UTF-8": (b"\xff\xfe", [*STRUCTURED_HEADERS, ("trace", b"\xff\xfe")]),
    "null and repeated headers": (b"k", [*STRUCTURED_HEADERS, ("trace", None), ("trace", b""), ("", b"x")]),
    "headers of a dead letter's own": (
        b"k",
        [("llamalog-reason", b"a"), ("llamalog-truncated", b"b"), *STRUCTURED_HEADERS],
    ),
    "all headers of a dead letter, as if it were one": (
        b"k",
        [(f"llamalog-{name}", b"0") for name in ("reason", "error", "topic", "partition", "offset")],
    ),
}


async def test_a_dead_letter_is_sent_back_byte_for_byte_to_the_partition_of_its_key(
    settings: Settings, dead_letters: Commands
) -> None:
    values = [encode(event(number, f"job-{number}")) for number in range(len(ODD_MESSAGES))]
    kept = [
        a_dead_letter(settings, number, values[number], key=key, headers=headers)
        for number, (key, headers) in enumerate(ODD_MESSAGES.values())
    ]
    await keep(settings, *kept)
    printed = await dead_letters.done("replay", "--all", "--yes")
    assert f"{len(kept)} of {len(kept)} dead letters sent back." in printed

    found = {record.value: record for record in await sent_back(settings)}
    assert len(found) == len(kept)
    for value, (key, headers) in zip(values, ODD_MESSAGES.values(), strict=True):
        assert found[value].key == key
        assert list(found[value].headers) == list(headers)
    async with producing(settings.kafka) as producer:
        for key in {key for key, _ in ODD_MESSAGES.values() if key is not None}:
            by_rule = await producer.send_and_wait(names_of(settings).provenance.name, b"", key)
            assert {record.partition for record in found.values() if record.key == key} == {by_rule.partition}


async def test_what_is_valid_now_is_recorded_once_however_often_it_is_replayed(
    settings: Settings, dead_letters: Commands, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = names_of(settings)
    events: list[Event] = [event(1, "good"), event(2, "evil-1", "good"), event(3, "evil-2", "evil-1")]
    await pool.execute("ALTER TABLE llama_logs ADD CONSTRAINT no_evil CHECK (job_id NOT LIKE 'evil%')")
    async with (
        producing(settings.kafka) as producer,
        running("consumer", settings, tmp_path),
        running("migration-consumer", settings, tmp_path),  # a child may be sent before its parent
    ):
        await publish_events(producer, names.entity_events.name, events)
        await producer.send_and_wait(names.entity_events.name, b"no event")
        await wait_until_consumed(settings)
        assert differences(await stored_rows(pool), events[:1]) == []
        await pool.execute("ALTER TABLE llama_logs DROP CONSTRAINT no_evil")
        for _ in range(2):
            await dead_letters.done("replay", "--reason", "refused-by-database", "--yes")
            await wait_until_consumed(settings)
        await dead_letters.done("replay", "--all", "--yes")
        await wait_until_settled(settings, pool)
    assert differences(await stored_rows(pool), events) == []
    reasons = [header(record, "reason") for record in await read_all(settings.kafka, names.dead_letters.name)]
    assert sorted(reasons) == ["not-json"] + ["refused-by-database"] * 2


async def test_one_dead_letter_is_sent_by_its_coordinates(settings: Settings, dead_letters: Commands) -> None:
    one, other = encode(event(1, "a")), encode(event(2, "b"))
    await keep(settings, a_dead_letter(settings, 1, one), a_dead_letter(settings, 2, other))
    assert "1 of 1 dead letters sent back." in await dead_letters.done("replay", "entity-events/3/2", "--yes")
    assert [record.value for record in await sent_back(settings)] == [other]
    assert "No dead letter of" in await dead_letters.refused("replay", "entity-events/0/2", "--yes")
    assert "Name one dead letter" in await dead_letters.refused(
        "replay", "entity-events/3/2", "--all", code=2
    )
    assert "Name one dead letter" in await dead_letters.refused("replay", code=2)


async def test_nothing_is_sent_before_confirmation(settings: Settings, dead_letters: Commands) -> None:
    await keep(settings, a_dead_letter(settings, 1, encode(event(1, "a"))))
    assert "1 of 1 dead letters would be sent back." in await dead_letters.done("replay", "--all")
    assert "would be sent" in await dead_letters.done("replay", "--all", "--dry-run", "--yes")
    assert confirm(settings, "n\n") == 1
    assert await sent_back(settings) == []
    assert confirm(settings, "y\n") == 0
    assert len(await sent_back(settings)) == 1


def confirm(settings: Settings, answer: str) -> int:
    """Replay all at a terminal with a person."""
    terminal, its_end = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "llamalog_service", "dead-letters", "replay", "--all"],
            stdin=its_end,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment() | settings.as_environment(),
        ) as process:
            os.write(terminal, answer.encode())
            printed, _ = process.communicate(timeout=120)
            assert b"Send 1 dead letters back?" in printed
            return process.returncode
    finally:
        os.close(terminal)
        os.close(its_end)


async def test_a_dead_letter_that_was_cut_is_refused_with_that_reason(
    settings: Settings, dead_letters: Commands
) -> None:
    await keep(
        settings, a_dead_letter(settings, 1, bytes(3_000_000)), a_dead_letter(settings, 2, encode(event(1)))
    )
    refusal = await dead_letters.refused("replay", "entity-events/3/1", "--yes", "--even-if-invalid")
    assert "too large to be kept whole" in refusal
    assert "1 were cut and are refused." in await dead_letters.done("replay", "--all", "--yes")
    assert len(await sent_back(settings)) == 1


async def test_what_would_be_refused_again_is_sent_on_request_only(
    settings: Settings, dead_letters: Commands
) -> None:
    await keep(settings, a_dead_letter(settings, 1, b"no event", reason="not-json"))
    printed = await dead_letters.done("replay", "--all", "--yes")
    assert "the contract still refuses it: the value is not JSON" in printed
    assert await sent_back(settings) == []
    await dead_letters.done("replay", "--all", "--yes", "--even-if-invalid")
    assert [record.value for record in await sent_back(settings)] == [b"no event"]


async def test_dead_letters_that_hold_one_message_are_sent_once(
    settings: Settings, dead_letters: Commands
) -> None:
    value = encode(event(1, "a"))
    await keep(settings, *[a_dead_letter(settings, offset, value) for offset in (1, 1, 5)])
    printed = await dead_letters.done("replay", "--all", "--yes")
    assert "1 of 3 dead letters sent back." in printed
    assert "2 hold a message that another dead letter holds" in printed
    assert len(await sent_back(settings)) == 1


async def test_dead_letters_of_others_go_nowhere(settings: Settings, dead_letters: Commands) -> None:
    names = names_of(settings)
    await keep(settings, a_dead_letter(settings, 1, encode(event(1)), topic=names.provenance.name))
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(
            names.dead_letters.name, encode(event(2)), headers=[("llamalog-topic", b"x")]
        )
    printed = await dead_letters.done("replay", "--all", "--yes")
    assert "is no topic that this installation reads" in printed
    assert "1 were not put there by llamalog." in printed
    for name in (names.provenance.name, names.entity_events.name):
        assert await read_all(settings.kafka, name) == []


async def test_dead_letters_that_retention_removed_are_no_obstacle(
    settings: Settings, dead_letters: Commands
) -> None:
    topic = names_of(settings).dead_letters.name
    await keep(settings, *[a_dead_letter(settings, number, encode(event(number))) for number in range(4)])
    await remove_before(settings, topic, 3)
    assert [listed["where"][-3:] for listed in await dead_letters.json_lines("list")] == ["3/3"]
    assert "No dead letter of" in await dead_letters.refused("show", "entity-events/3/0")
    assert "1 of 1 dead letters sent back." in await dead_letters.done(
        "replay", "--all", "--yes", "--after", "0/0"
    )
    await remove_before(settings, topic, 4)
    assert await dead_letters.json_lines("count") == [{"total": 0, "byReason": {}}]
    assert "0 of 0 dead letters sent back." in await dead_letters.done("replay", "--all", "--yes")


async def remove_before(settings: Settings, topic: str, offset: int) -> None:
    """As Kafka's retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def test_a_replay_that_is_stopped_goes_on_where_it_stopped(
    settings: Settings, dead_letters: Commands
) -> None:
    values = [encode(event(number, f"job-{number}")).ljust(50_000) for number in range(600)]
    await keep(settings, *[a_dead_letter(settings, number, value) for number, value in enumerate(values)])
    with start_to_replay_all(settings) as process:
        await until_topic_has_messages(settings.kafka, names_of(settings).entity_events.name, within=120)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    before = {record.value for record in await sent_back(settings)}
    assert 0 < len(before) < len(values)
    (position,) = re.findall(r"Resume with --after (\S+);", printed)
    await dead_letters.done("replay", "--all", "--yes", "--after", position)
    assert {record.value for record in await sent_back(settings)} == set(values)


def start_to_replay_all(settings: Settings) -> subprocess.Popen[str]:
    """It cannot come to its end before it is stopped, however busy the machine is."""
    sabotage = "a replay that waits after its first fetch"
    return subprocess.Popen(
        [
            *AS_A_JOB,
            sys.executable,
            "-m",
            "harness.sabotage",
            sabotage,
            "dead-letters",
            "replay",
            "--all",
            "--yes",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment() | environment_of(settings),
    )


async def test_without_a_topic_of_dead_letters_it_says_so(settings: Settings, dead_letters: Commands) -> None:
    elsewhere = Commands(settings.model_copy(update={"topic_prefix": "nowhere."}), "dead-letters")
    for words in (["list"], ["show", "entity-events/0/0"]):
        assert "There is no topic nowhere.dead-letters." in await elsewhere.refused(*words)
    assert "the topic does not exist" in await elsewhere.refused("replay", "--all", "--yes")
