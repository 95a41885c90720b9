"""Large, costly and compressed events: recorded within a time and the memory that README states."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from harness.large import ALLOWED_MEGABYTES, REFUSED_MEGABYTES, json_of, peak_megabytes
from harness.service import running
from harness.settled import wait_until_consumed
from harness.topics import header, producing, read_all
from histories import event
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_service.kafka.record_batches import MAX_RECORD_BYTES
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka


def sending(settings: Settings, compression: str | None) -> AbstractAsyncContextManager[AIOKafkaProducer]:
    """A producer of record batches of any size."""
    return producing(
        settings.kafka, compression_type=compression, max_batch_size=2**28, max_request_size=2**28
    )


async def send(
    producer: AIOKafkaProducer,
    settings: Settings,
    values: list[bytes],
    *,
    at_once: int,
    headers: list[tuple[str, bytes | None]] = STRUCTURED_HEADERS,
) -> None:
    """Send messages to the first two partitions, so many in a record batch."""
    topic = topics(settings.topic_prefix).entity_events.name
    for first in range(0, len(values), at_once):
        batch = producer.create_batch()
        for value in values[first : first + at_once]:
            assert batch.append(key=None, value=value, timestamp=None, headers=headers) is not None
        await (await producer.send_batch(batch, topic, partition=first // at_once % 2))


def numbered(count: int, metadata: dict[str, Any]) -> list[bytes]:
    first = event(0, "job")
    template = encode(replace(first, data=replace(first.data, metadata=metadata)))
    assert len(template) < 256 * 1024
    return [template.replace(str(UUID(int=0)).encode(), str(UUID(int=at)).encode(), 1) for at in range(count)]


INPUTS: dict[str, tuple[int, dict[str, Any], str | None, int]] = {
    "large, a few in a gzip batch": (100, json_of(240), "gzip", 40),
    "large, all in a zstd batch": (100, json_of(240), "zstd", 100),
    "middling, in lz4 batches": (700, json_of(30), "lz4", 60),
    "huge numbers": (50, {"numbers": [9e307] * 42_000}, "gzip", 50),
    "empty lists": (50, {"lists": [[]] * 85_000}, "gzip", 50),
    "objects of one key": (50, {"objects": [{"a": 0}] * 31_000}, "gzip", 50),
    "large, not compressed": (60, json_of(240), None, 3),
}


@pytest.mark.parametrize("kind", INPUTS)
async def test_events_of_any_kind_are_recorded_in_bounded_memory_and_again_after_a_restart(
    kind: str,
    settings: Settings,
    pool: asyncpg.Pool,
    tmp_path: Path,
) -> None:
    """Redelivered, they are compared with the table, which writes some of them sixty times as long."""
    count, metadata, compression, at_once = INPUTS[kind]
    async with sending(settings, compression) as producer:
        await send(producer, settings, numbered(count, metadata), at_once=at_once)
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings, within=180)
        assert peak_megabytes(consumer) <= ALLOWED_MEGABYTES
        assert await consumer.stop() == 0
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == count
    again = settings.model_copy(update={"consumer_group": f"{settings.consumer_group}-again"})
    async with running("consumer", again, tmp_path) as consumer:
        await wait_until_consumed(again, within=180)
        assert peak_megabytes(consumer) <= ALLOWED_MEGABYTES
    names = topics(settings.topic_prefix)
    assert await read_all(settings.kafka, names.dead_letters.name) == []
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == count


async def test_a_record_too_large_to_be_read_is_a_dead_letter_and_its_neighbours_are_recorded(
    settings: Settings,
    pool: asyncpg.Pool,
    tmp_path: Path,
) -> None:
    size = 100 * 1024 * 1024
    good = numbered(2, {})
    hidden: list[tuple[str, bytes | None]] = [("name", bytes(size))]
    async with sending(settings, "gzip") as producer:
        await send(producer, settings, [good[0], b"[" + b" " * size, good[1]], at_once=3)
        await send(producer, settings, [b"{}"] * 2, at_once=2, headers=hidden)
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings, within=120)
        assert peak_megabytes(consumer) <= REFUSED_MEGABYTES
    dead_letters = await read_all(settings.kafka, topics(settings.topic_prefix).dead_letters.name)
    assert [header(dead_letter, "reason") for dead_letter in dead_letters] == ["record-too-large"] * 3
    assert all(
        f"{MAX_RECORD_BYTES} are allowed" in header(dead_letter, "error") for dead_letter in dead_letters
    )
    kept, whole = header(dead_letters[0], "truncated").removesuffix(" bytes").split(" of ")
    assert (int(kept), int(whole) > size) == (len(dead_letters[0].value), True)
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 2


async def test_large_events_beside_a_partition_that_does_not_get_on_wait_in_bounded_memory(
    settings: Settings,
    pool: asyncpg.Pool,
    tmp_path: Path,
) -> None:
    """A transaction holds up one partition, and a backlog of older events lies in another."""
    topic = topics(settings.topic_prefix).entity_events.name
    async with sending(settings, "gzip") as producer:
        for number, value in enumerate(numbered(300, json_of(100))):
            minute = 1_700_000_000_000 + number
            batch = producer.create_batch()
            late = number % 3 == 0
            batch.append(key=None, value=value, timestamp=minute if late else minute + 10**9, headers=[])
            await (await producer.send_batch(batch, topic, partition=number % 3))
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings, within=120)
        assert peak_megabytes(consumer) <= ALLOWED_MEGABYTES
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 300
