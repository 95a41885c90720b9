"""Bad input among good: each ends as one dead letter or a defined skip, and its neighbours are recorded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from harness.log_table import differences, stored_rows
from harness.raw_batches import send_with_header_key
from harness.service import running
from harness.settled import wait_until_consumed, wait_until_settled
from harness.topics import by_coordinates, header, producing, publish_events, read_all
from histories import NOON, event
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode, encode_event_binary
from llamalog_schemas.commands import RecomputeReason, RecomputeRoots, RecomputeRootsData
from llamalog_schemas.events import Event
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

Headers = list[tuple[str, bytes | None]]
BAD = event(1_000_000, "bad")
"""What the bad messages are made of; none of them is recorded."""
RECOMPUTE = RecomputeRoots(
    id=str(UUID(int=1)),
    source="/tests",
    time=NOON,
    specversion="1.0",
    data=RecomputeRootsData(jobs=("job",), reason=RecomputeReason.REQUESTED),
)


@dataclass
class Bad:
    """A message that is no event, and the reason that its dead letter must bear."""

    reason: str
    value: bytes
    headers: Headers


def structured(reason: str, value: bytes) -> Bad:
    return Bad(reason, value, STRUCTURED_HEADERS)


def with_data(**data: Any) -> bytes:
    decoded = json.loads(encode(BAD))
    return json.dumps(decoded | {"data": decoded["data"] | data}).encode()


def with_envelope(**attributes: Any) -> bytes:
    return json.dumps(json.loads(encode(BAD)) | attributes).encode()


def binary(**replaced: bytes | None) -> tuple[bytes, Headers]:
    value, headers = encode_event_binary(BAD)
    return value, [(name, replaced.get(name, content)) for name, content in headers]


def nested(levels: int) -> bytes:
    deep = '{"d":' * levels + "1" + "}" * levels
    return with_data(metadata="HERE").replace(b'"HERE"', deep.encode())


BAD_MESSAGES: dict[str, Bad] = {
    "empty": structured("empty-value", b""),
    "not UTF-8": structured("not-utf8", encode(BAD).replace(b"track:", b"\xff\xfe:")),
    "byte order mark": structured("not-json", b"\xef\xbb\xbf" + encode(BAD)),
    "truncated": structured("not-json", encode(BAD)[:-20]),
    "an array": structured("bad-envelope", b"[" + encode(BAD) + b"]"),
    "NUL": structured("nul-character", with_data(reason="ends\0here")),
    "NUL in a metadata key": structured("nul-character", with_data(metadata={"a\0b": 1})),
    "lone surrogate": structured("not-json", with_data(metadata={"title": "\ud800"})),
    "NaN": structured("not-json", with_data(metadata={"score": float("nan")})),
    "infinity": structured("not-json", with_data(metadata={"score": float("-inf")})),
    "past a double": structured(
        "number-out-of-range", with_data(metadata={"n": "N"}).replace(b'"N"', b"1e400")
    ),
    "past int4": structured("number-out-of-range", with_data(durationMs=2**31)),
    "past int8": structured("number-out-of-range", with_data(metadata={"n": 2**63})),
    "200,000 digits": structured(
        "number-out-of-range", with_data(metadata={"n": "N"}).replace(b'"N"', b"9" * 200_000)
    ),
    "65 levels": structured("nested-too-deep", nested(65)),
    "5,000 levels": structured("nested-too-deep", nested(5_000)),
    "20,000 levels": structured("nested-too-deep", nested(20_000)),
    "too large": structured("value-too-large", with_data(reason="x" * 256 * 1024)),
    "unknown type": structured("unknown-type", with_envelope(type="llamalog.entity-vanished.v1")),
    "unknown version": structured("unknown-type", with_envelope(type="llamalog.entity-created.v2")),
    "unknown field": structured("unknown-field", with_data(colour="blue")),
    "no zone": structured("bad-time", with_envelope(time="2026-02-10T12:00:00")),
    "year 9999": structured("bad-time", with_envelope(time="9999-12-31T00:00:00Z")),
    "1969": structured("bad-time", with_envelope(time="1969-12-31T23:59:59.999Z")),
    "a leap second": structured("bad-time", with_envelope(time="2016-12-31T23:59:60Z")),
    "its own parent": structured("self-parent", with_data(jobId="one", parentJobId="one")),
    "a source over the limit": structured("bad-field", with_data(sources=["x" * 3000])),
    "a command": structured("unknown-type", encode(RECOMPUTE)),
    "no header that is UTF-8": Bad("bad-header", *binary(ce_source=b"\xff")),
    "null in a header that counts": Bad("bad-envelope", *binary(ce_id=None)),
    "unknown type in binary mode": Bad("unknown-type", *binary(ce_type=b"com.example.thing")),
}  # fmt: skip


async def test_each_bad_message_is_one_dead_letter_and_every_neighbour_is_recorded(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    neighbours: list[Event] = []
    async with producing(settings.kafka) as producer:
        for number, bad in enumerate(BAD_MESSAGES.values(), 1):
            neighbours.append(event(number, f"job-{number}"))
            await publish_events(producer, names.entity_events.name, neighbours[-1:], partition=0)
            await producer.send_and_wait(
                names.entity_events.name, bad.value, b"\xffkey", partition=0, headers=bad.headers
            )
        neighbours.append(event(500, "last"))
        await publish_events(producer, names.entity_events.name, neighbours[-1:], partition=0)
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings)
        assert await consumer.stop() == 0

    assert differences(await stored_rows(pool), neighbours) == []
    rejected = await read_all(settings.kafka, names.dead_letters.name)
    assert [header(dead_letter, "reason") for dead_letter in rejected] == [
        bad.reason for bad in BAD_MESSAGES.values()
    ]
    for number, (dead_letter, bad) in enumerate(zip(rejected, BAD_MESSAGES.values(), strict=True)):
        assert (dead_letter.key, dead_letter.value) == (b"\xffkey", bad.value)
        assert list(dead_letter.headers[: len(bad.headers)]) == bad.headers
        assert header(dead_letter, "topic") == names.entity_events.name
        assert (header(dead_letter, "partition"), header(dead_letter, "offset")) == ("0", str(2 * number + 1))
        assert header(dead_letter, "error")


async def test_what_only_looks_bad_is_recorded(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    day = 86_400_000
    odd: list[Event] = [
        event(1, "clock-ahead", at=26_900 * day),
        event(2, "clock-behind", "clock-ahead", at=-20_000 * day),
        *[event(3, "published-twice")] * 2,
        event(4, "of-a-cycle", "of-a-cycle-too"),
        event(5, "of-a-cycle-too", "of-a-cycle"),
        event(6, "root-of-itself", declared="root-of-itself"),
    ]
    async with producing(settings.kafka) as producer:
        await publish_events(producer, topics(settings.topic_prefix).entity_events.name, odd, partition=0)
    async with running("consumer", settings, tmp_path):
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), odd) == []
    assert await read_all(settings.kafka, topics(settings.topic_prefix).dead_letters.name) == []


async def test_what_is_no_command_is_a_dead_letter_and_the_commands_around_it_are_kept(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    bad = {"unknown-type": encode(BAD), "not-utf8": b"\xff", "empty-value": b"", "not-json": b"{"}
    commands = [replace(RECOMPUTE, id=str(UUID(int=number))) for number in range(1, len(bad) + 1)]
    async with producing(settings.kafka) as producer, running("migration-consumer", settings, tmp_path):
        for command, value in zip(commands, bad.values(), strict=True):
            for one in (encode(command), value, None):
                await producer.send_and_wait(names.backfill_commands.name, one, b"key", partition=0)
        await wait_until_settled(settings, pool)
    assert {str(row["id"]) for row in await pool.fetch("SELECT id FROM backfill_runs")} == {
        command.id for command in commands
    }
    rejected = await read_all(settings.kafka, names.dead_letters.name)
    assert {header(dead_letter, "reason"): dead_letter.value for dead_letter in rejected} == bad
    assert {header(dead_letter, "topic") for dead_letter in rejected} == {names.backfill_commands.name}


async def send_good_around(
    producer: AIOKafkaProducer, topic: str, *, headers: Headers | None = None, value: bytes | None
) -> list[Event]:
    """A message between two good events; the two."""
    neighbours: list[Event] = [event(1, "before"), event(2, "after")]
    await publish_events(producer, topic, neighbours[:1], partition=0)
    await producer.send_and_wait(topic, value, b"key", partition=0, headers=headers)
    await publish_events(producer, topic, neighbours[1:], partition=0)
    return neighbours


async def test_a_tombstone_is_skipped(settings: Settings, pool: asyncpg.Pool, tmp_path: Path) -> None:
    names = topics(settings.topic_prefix)
    async with producing(settings.kafka) as producer, running("consumer", settings, tmp_path):
        events = await send_good_around(producer, names.entity_events.name, value=None)
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), events) == []
    assert await read_all(settings.kafka, names.dead_letters.name) == []


async def test_headers_that_are_not_ours_are_no_ground_for_refusal(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    foreign: Headers = [*STRUCTURED_HEADERS, ("trace", None), ("trace", b"\xff\xfe"), ("", b"")]
    middle = event(3, "middle")
    async with producing(settings.kafka) as producer, running("consumer", settings, tmp_path):
        events = await send_good_around(
            producer, names.entity_events.name, value=encode(middle), headers=foreign
        )
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), [*events, middle]) == []


async def test_a_header_whose_name_is_no_text_does_not_stop_the_stream(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    before, middle, after = event(1, "before"), event(2, "middle"), event(3, "after")
    name = b"\xff\xfe\xfd name"
    async with producing(settings.kafka) as producer, running("consumer", settings, tmp_path):
        await publish_events(producer, names.entity_events.name, [before], partition=0)
        await send_with_header_key(producer, names.entity_events.name, 0, encode(middle), name)
        await send_with_header_key(producer, names.entity_events.name, 0, b"no event", name)
        await publish_events(producer, names.entity_events.name, [after], partition=0)
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), [before, middle, after]) == []
    (dead_letter,) = await read_all(settings.kafka, names.dead_letters.name)
    assert dead_letter.value == b"no event"
    assert dead_letter.headers[0] == (r"\xff\xfe\xfd name", b"value")


TOO_LARGE_ANYWHERE: dict[str, tuple[bytes, bytes, Headers]] = {
    "value": (b"key", bytes(3_000_000), []),
    "key": (bytes(3_000_000), b"no event", []),
    "one header": (b"key", b"no event", [("large", bytes(3_000_000))]),
    "headers": (b"key", b"no event", [("many", bytes(1000))] * 3_000),
}


@pytest.mark.parametrize("where", TOO_LARGE_ANYWHERE)
async def test_a_message_that_came_compressed_and_fits_nowhere_is_kept_in_part(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, where: str
) -> None:
    names = topics(settings.topic_prefix)
    key, value, headers = TOO_LARGE_ANYWHERE[where]
    neighbours: list[Event] = [event(1, "before"), event(2, "after")]
    async with (
        AIOKafkaProducer(
            bootstrap_servers=settings.kafka, compression_type="gzip", max_request_size=4_000_000
        ) as producer,
        running("consumer", settings, tmp_path) as consumer,
    ):
        topic = names.entity_events.name
        await producer.send_and_wait(topic, b"bad before", partition=0)
        await wait_until_consumed(settings)  # the dead letter before has a number; this one must leave no gap
        await publish_events(producer, topic, neighbours[:1], partition=0)
        await producer.send_and_wait(topic, value, key, partition=0, headers=headers)
        await publish_events(producer, topic, neighbours[1:], partition=0)
        await producer.send_and_wait(topic, b"bad after", partition=0)
        await wait_until_consumed(settings)
        assert consumer.exit_code is None
    assert differences(await stored_rows(pool), neighbours) == []
    rejected = by_coordinates(await read_all(settings.kafka, names.dead_letters.name))
    assert sorted(offset for _, _, offset in rejected) == [0, 2, 4]
    (dead_letter,) = rejected[topic, 0, 2]
    assert value.startswith(dead_letter.value)
    assert key.startswith(dead_letter.key)
    assert header(dead_letter, "truncated").endswith(" bytes")
    assert header(dead_letter, "reason") == ("value-too-large" if where == "value" else "not-json")


async def test_a_sentence_that_quotes_half_a_message_is_cut_rather_than_the_message(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    value = with_data(**{"x" * 200_000: 1})
    headers: Headers = [("many", bytes(1000))] * 1_750
    async with (
        AIOKafkaProducer(
            bootstrap_servers=settings.kafka, compression_type="gzip", max_request_size=4_000_000
        ) as producer,
        running("consumer", settings, tmp_path),
    ):
        await producer.send_and_wait(names.entity_events.name, value, b"key", partition=0, headers=headers)
        await publish_events(producer, names.entity_events.name, [event(1, "after")], partition=0)
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), [event(1, "after")]) == []
    (dead_letter,) = await read_all(settings.kafka, names.dead_letters.name)
    assert dead_letter.value == value
    assert list(dead_letter.headers[: len(headers)]) == headers
    assert header(dead_letter, "error").startswith("Object contains unknown field `xxx")
    assert header(dead_letter, "error").endswith("…")


async def test_a_repeated_id_is_a_duplicate_if_equal_and_a_dead_letter_if_not(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    first = event(1, "job", "parent")
    binary_value, binary_headers = encode_event_binary(first)
    other = encode(event(1, "job", "another"))
    async with producing(settings.kafka) as producer:
        for value, headers in (
            (encode(first), STRUCTURED_HEADERS),
            (binary_value, binary_headers),
            (other, STRUCTURED_HEADERS),
        ):
            for _ in range(2):
                await producer.send_and_wait(names.entity_events.name, value, partition=0, headers=headers)
    async with running("consumer", settings, tmp_path):
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), [first]) == []
    rejected = by_coordinates(await read_all(settings.kafka, names.dead_letters.name))
    assert [(offset, header(found[0], "reason")) for (_, _, offset), found in rejected.items()] == [
        (4, "id-conflict"),
        (5, "id-conflict"),
    ]


async def test_rows_that_postgres_refuses_are_dead_letters_and_their_batch_is_recorded(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    await pool.execute("ALTER TABLE llama_logs ADD CONSTRAINT no_evil CHECK (job_id NOT LIKE 'evil%')")
    good: list[Event] = [event(number, f"job-{number}", "evil-1") for number in range(1, 40)]
    evil: list[Event] = [event(100 + number, f"evil-{number}") for number in range(1, 4)]
    mixed = [*good[:10], evil[0], *good[10:20], *evil[1:], *good[20:]]
    async with producing(settings.kafka) as producer:
        await publish_events(producer, names.entity_events.name, mixed, partition=0)
    async with running("consumer", settings, tmp_path):
        await wait_until_consumed(settings)
    assert differences(await stored_rows(pool), good) == []
    rejected = await read_all(settings.kafka, names.dead_letters.name)
    assert {dead_letter.value for dead_letter in rejected} == {encode(one) for one in evil}
    for dead_letter in rejected:
        assert header(dead_letter, "reason") == "refused-by-database"
        assert "no_evil" in header(dead_letter, "error")
