"""An archive gives back the topic's messages, is continued, and is refused where it is damaged."""

import gzip
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from harness.rebuilding import Installation, KeptTopic, rows_as_text
from harness.writers import TOPIC, Message
from histories import chains, event
from llamalog_schemas import encode
from llamalog_service.kafka.reader import Portion
from llamalog_service.rebuild.archive.archive import (
    Archive,
    ArchiveGapError,
    ArchiveOnly,
    ArchiveThenTopic,
    NoArchiveError,
    OtherTopicError,
    PartitionsMissingError,
    SegmentsLostError,
)
from llamalog_service.rebuild.archive.archiver import ArchiveBusyError, Archiver
from llamalog_service.rebuild.archive.segments import (
    ArchiveDamagedError,
    ManifestDamagedError,
    ManifestMissingError,
    list_segments,
    read_segment,
)
from llamalog_service.rebuild.errors import ArchiveOnlyError, BeginningGoneError


def topic_of(count: int = 60) -> KeptTopic:
    topic = KeptTopic()
    for number, one in enumerate(chains(count)):
        topic.append(encode(one), number)
    return topic


async def archived(folder: Path, topic: KeptTopic, segment_bytes: int = 2000) -> int:
    return (await Archiver(folder, TOPIC, topic, segment_bytes=segment_bytes).run()).messages


async def read_back(archive: Archive, starts: Mapping[int, int] | None = None) -> list[tuple[object, ...]]:
    ends = {partition: span.end for partition, span in (await archive.spans()).items()}
    portions = [portion async for portion in archive.read(starts or {}, ends)]
    assert {at: reached for portion in portions for at, reached in portion.reached.items()} == ends
    return [
        (record.partition, record.offset, record.key, record.value, list(record.headers))
        for portion in portions
        for record in portion.records
    ]


def messages_of(topic: KeptTopic) -> list[tuple[object, ...]]:
    return [
        (message.partition, message.offset, message.key, message.value, list(message.headers))
        for messages in topic.partitions.values()
        for message in messages
    ]


async def test_every_byte_comes_back_in_order(tmp_path: Path) -> None:
    topic = topic_of()
    odd = [
        Message(b"\xff\xfe no text", len(topic.partitions[0]), 0, b"\x80", [("a", b"\xff"), ("a", None)]),
        Message(None, len(topic.partitions[0]) + 1, 0, None, [("ünï", "ß".encode())]),
        Message(b"", len(topic.partitions[0]) + 2, 0, b""),
    ]
    topic.partitions[0] += odd
    assert await archived(tmp_path, topic) == len(messages_of(topic))
    assert await read_back(Archive(tmp_path, TOPIC)) == messages_of(topic)
    later = [line for line in messages_of(topic) if line[0] != 1 or int(str(line[1])) >= 7]
    assert await read_back(Archive(tmp_path, TOPIC), {1: 7}) == later
    assert len(list_segments(tmp_path)[1]) > 2


async def test_large_messages_are_read_few_at_a_time(tmp_path: Path) -> None:
    topic = KeptTopic()
    for _ in range(40):
        topic.append(b"x" * 1_000_000)
    await archived(tmp_path, topic, 100_000_000)
    (segment,) = list_segments(tmp_path)[0]
    assert [len(batch) for batch in read_segment(segment, TOPIC, 0, 40)] == [3] * 13 + [1]


async def test_an_archive_is_continued_where_it_ended(tmp_path: Path) -> None:
    topic = topic_of()
    first = await archived(tmp_path, topic)
    assert await archived(tmp_path, topic) == 0
    for number, one in enumerate(chains(3, first=1000)):
        topic.append(encode(one), number)
    assert await archived(tmp_path, topic) == len(messages_of(topic)) - first
    assert await read_back(Archive(tmp_path, TOPIC)) == messages_of(topic)
    assert {at: span.first for at, span in (await Archive(tmp_path, TOPIC).check()).items()} == {
        0: 0,
        1: 0,
        2: 0,
    }


@pytest.mark.parametrize("gently", [True, False])
async def test_an_interrupted_or_killed_run_is_continued(tmp_path: Path, gently: bool) -> None:
    topic = topic_of(300)

    class Ending(KeptTopic):
        async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
            number = 0
            async for portion in topic.read(starts, ends):
                number += 1
                if number == 4:
                    raise KeyboardInterrupt
                yield portion

    ending = Ending()
    ending.partitions = topic.partitions
    with pytest.raises(KeyboardInterrupt):
        await Archiver(tmp_path, TOPIC, ending, segment_bytes=1_000_000).run()
    written = len(await read_back(Archive(tmp_path, TOPIC)))
    assert written == 3 * 3 * 7
    if not gently:
        for segment in list_segments(tmp_path)[1]:
            segment.path.rename(segment.path.with_suffix(".gz.part"))  # as a kill leaves it
    await archived(tmp_path, topic)
    assert await read_back(Archive(tmp_path, TOPIC)) == messages_of(topic)


def truncated(data: bytes) -> bytes:
    return data[:-20]


def altered(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data).replace(b"root-1", b"root-2", 1))


def shortened(data: bytes) -> bytes:
    lines = gzip.decompress(data).splitlines(keepends=True)
    return gzip.compress(b"".join(lines[:2] + lines[3:]))


def without_end(data: bytes) -> bytes:
    return gzip.compress(b"".join(gzip.decompress(data).splitlines(keepends=True)[:-1]))


def garbage(_: bytes) -> bytes:
    return b"not gzip"


@pytest.mark.parametrize("damage", [truncated, altered, shortened, without_end, garbage])
async def test_a_damaged_segment_is_refused_with_its_line(
    tmp_path: Path, damage: object, pool: asyncpg.Pool
) -> None:
    installation = Installation(pool)
    installation.publish(chains(20))
    await installation.ingest_all()
    await archived(tmp_path, installation.topic, 1_000_000)
    (segment,) = list_segments(tmp_path)[0]
    segment.path.write_bytes(damage(segment.path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ArchiveDamagedError, match=r"partition-00000.*, line \d+") as refusal:
        await Archive(tmp_path, TOPIC).check()
    assert refusal.value.path == segment.path
    with pytest.raises(ArchiveDamagedError):
        await archived(tmp_path, installation.topic)
    history = ArchiveThenTopic(Archive(tmp_path, TOPIC), installation.topic)
    before = await rows_as_text(pool)
    with pytest.raises(ArchiveDamagedError):
        await installation.run(installation.rebuild(history=history))
    assert await rows_as_text(pool) == before


async def test_a_missing_segment_is_refused(tmp_path: Path) -> None:
    topic = topic_of(120)
    await archived(tmp_path, topic)
    list_segments(tmp_path)[2][1].path.unlink()
    with pytest.raises(ArchiveGapError):
        await Archive(tmp_path, TOPIC).check()
    with pytest.raises(ArchiveGapError):
        await read_back(Archive(tmp_path, TOPIC))
    list_segments(tmp_path)[1][0].path.unlink()
    with pytest.raises(ArchiveGapError, match=r"Partition 1: .* its first segment"):
        await Archive(tmp_path, TOPIC).check()


@pytest.mark.parametrize("gone", [slice(None), slice(-1, None)])
async def test_a_partition_that_lost_its_last_segment_or_all_is_refused_until_it_is_archived_again(
    tmp_path: Path, gone: slice
) -> None:
    topic = topic_of(120)
    await archived(tmp_path, topic)
    for segment in list_segments(tmp_path)[2][gone]:
        segment.path.unlink()
    with pytest.raises(SegmentsLostError, match="Partition 2: the archive reached up to offset 40"):
        await Archive(tmp_path, TOPIC).check()
    await archived(tmp_path, topic)
    assert {at: span.end for at, span in (await Archive(tmp_path, TOPIC).check()).items()} == {
        0: 40,
        1: 40,
        2: 40,
    }


async def test_an_archive_without_its_manifest_is_refused_with_the_manifest_to_write(tmp_path: Path) -> None:
    topic = topic_of()
    await archived(tmp_path, topic)
    notes = tmp_path / "archive.json"
    notes_before = notes.read_text()
    notes.unlink()
    with pytest.raises(ManifestMissingError) as refusal:
        await Archive(tmp_path, TOPIC).check()
    assert str(refusal.value).endswith(notes_before.strip())
    notes.write_text("{}")
    with pytest.raises(ManifestDamagedError):
        await Archive(tmp_path, TOPIC).check()
    notes.unlink()
    await archived(tmp_path, topic)
    assert notes.read_text() == notes_before


async def test_an_empty_topic_has_an_archive_too(tmp_path: Path) -> None:
    await archived(tmp_path, KeptTopic())
    assert set((await Archive(tmp_path, TOPIC).check()).values()) == {(0, 0)}


async def test_two_processes_do_not_write_one_archive(tmp_path: Path) -> None:
    topic = topic_of(300)

    class Waiting(KeptTopic):
        async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
            async for portion in topic.read(starts, ends):
                if portion.reached[0] > 20:
                    with pytest.raises(ArchiveBusyError, match="Another `llamalog archive` writes"):
                        await archived(tmp_path, topic)
                yield portion

    waiting = Waiting()
    waiting.partitions = topic.partitions
    await archived(tmp_path, waiting, 1_000_000)
    assert await read_back(Archive(tmp_path, TOPIC)) == messages_of(topic)
    assert await archived(tmp_path, topic) == 0


async def test_an_archive_of_another_topic_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoArchiveError):
        await Archive(tmp_path, TOPIC).spans()
    await archived(tmp_path, topic_of())
    with pytest.raises(ArchiveDamagedError, match=r"tests\.entity-events"):
        await Archive(tmp_path, "another").spans()
    with pytest.raises(OtherTopicError):
        await archived(tmp_path, topic_of(12))
    beheaded = topic_of(300)
    beheaded.firsts = {1: 90}
    with pytest.raises(ArchiveGapError):
        await archived(tmp_path, beheaded)


async def test_a_rebuild_reads_the_beginning_that_retention_removed_from_an_archive(
    tmp_path: Path, pool: asyncpg.Pool
) -> None:
    installation = Installation(pool)
    installation.publish(chains(20))
    await archived(tmp_path, installation.topic)
    installation.publish(chains(10, first=1000))
    await installation.ingest_all()
    whole = await installation.rebuilt()

    topic = installation.topic
    topic.firsts = {0: 5, 1: 6}
    with pytest.raises(BeginningGoneError):
        await installation.rebuilt()
    history = ArchiveThenTopic(Archive(tmp_path, TOPIC), topic)
    report = await installation.run(installation.rebuild(history=history, source="the archive"), discard=True)
    assert report.differences.rows == 0
    assert (report.messages, report.rebuilt) == (whole.messages, whole.rebuilt)


async def test_an_archive_with_partitions_that_the_topic_lacks_is_refused(tmp_path: Path) -> None:
    topic = topic_of()
    await archived(tmp_path, topic)
    del topic.partitions[2]
    with pytest.raises(PartitionsMissingError, match=r"lacks: 2\."):
        await ArchiveThenTopic(Archive(tmp_path, TOPIC), topic).spans()
    with pytest.raises(PartitionsMissingError):
        await archived(tmp_path, topic)


async def test_an_archive_alone_loads_an_empty_table_and_is_compared_with_no_other(
    tmp_path: Path, pool: asyncpg.Pool
) -> None:
    lost = Installation(pool)
    lost.publish([*chains(20), event(101)])
    await lost.ingest_all()
    await archived(tmp_path, lost.topic)
    rows = await rows_as_text(pool)

    alone: dict[str, Any] = {"history": ArchiveOnly(Archive(tmp_path, TOPIC)), "source": "the archive alone"}
    with pytest.raises(ArchiveOnlyError):
        await lost.run(lost.rebuild(**alone), archive_only=True)
    assert await rows_as_text(pool) == rows
    await pool.execute("TRUNCATE llama_logs CASCADE; TRUNCATE consumer_positions")
    lost_end = list_segments(tmp_path)[1].pop().path
    lost_end.rename(tmp_path / "elsewhere")
    with pytest.raises(SegmentsLostError):
        await lost.run(lost.rebuild(**alone), archive_only=True)
    (tmp_path / "elsewhere").rename(lost_end)

    report = await lost.run(lost.rebuild(**alone), archive_only=True)
    assert (report.loaded, await rows_as_text(pool)) == (True, rows)
    assert await pool.fetchval("SELECT count(*) FROM consumer_positions") == 0
    anew = Installation(pool)
    anew.publish([event(500, "later", "root-1")])
    await anew.ingest_all()
    assert len(await rows_as_text(pool)) == len(rows) + 1
