"""A rebuild and an archive of large messages: read, compared, repaired and written a few at once."""

from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.environments import environment_of
from harness.forked import ForkedProcess
from harness.large import ALLOWED_MEGABYTES, dense
from harness.rebuilding import Installation, KeptTopic
from harness.topics import producing
from harness.waiting import eventually
from harness.writers import TOPIC, Message
from histories import chains, event
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_service.kafka.reader import PORTION_BYTES, TopicReader
from llamalog_service.kafka.record_batches import size_of
from llamalog_service.kafka.topics import topics
from llamalog_service.rebuild.archive.archive import Archive
from llamalog_service.rebuild.archive.archiver import Archiver
from llamalog_service.rebuild.archive.segments import ArchiveDamagedError, list_segments, verify_segment
from llamalog_service.rebuild.repair import RepairStore
from llamalog_service.rebuild.shadow import ShadowBatch
from llamalog_service.settings import Settings

LARGEST = 250 * 1000
SPOIL = """
    UPDATE llama_logs
    SET revision = revision + 1, metadata = jsonb_set(metadata, '{lists, 0}', '0'), root_job_id = 'x'
"""


async def publish_large(settings: Settings, count: int) -> str:
    """Large events of one root job each, over all partitions."""
    topic = topics(settings.topic_prefix).entity_events.name
    template = event(0, "job-0")
    template = replace(template, data=replace(template.data, metadata=dense(240)))
    async with producing(settings.kafka, compression_type="gzip") as producer:
        partitions = sorted(await producer.partitions_for(topic))
        for number in range(1, count + 1):
            data = replace(template.data, job_id=f"job-{number}")
            value = encode(replace(template, id=str(UUID(int=number)), data=data))
            assert len(value) < LARGEST
            partition = partitions[number % len(partitions)]
            await producer.send_and_wait(topic, value, partition=partition, headers=STRUCTURED_HEADERS)
    return topic


async def peak_of(settings: Settings, folder: Path, *words: str) -> tuple[int, int, str]:
    """The exit code of a command in a process of its own, its peak of memory in megabytes, and its output."""
    peak, log = folder / "peak", folder / "log"
    process = ForkedProcess(
        "harness.measured",
        [str(peak), *words],
        environment=environment_of(settings),
        folder=folder,
        log=log,
    )
    try:

        async def has_ended() -> bool:
            return process.exit_code is not None

        await eventually(has_ended, within=280)
    finally:
        process.kill()
    assert process.exit_code is not None
    return process.exit_code, int(peak.read_text()), log.read_text()


@pytest.mark.apache_kafka
async def test_large_rows_are_rebuilt_compared_and_repaired_in_bounded_memory(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    count = 40
    await publish_large(settings, count)
    code, peak, output = await peak_of(settings, tmp_path, "rebuild")
    assert code == 0, output
    assert peak <= ALLOWED_MEGABYTES
    await pool.execute(SPOIL)
    differences = tmp_path / "differences"
    words = ("rebuild", "--repair", "--convergence-timeout", "0", "--differences", str(differences))
    code, peak, output = await peak_of(settings, tmp_path, *words)
    assert code == 0, output
    assert peak <= ALLOWED_MEGABYTES
    assert len(differences.read_text().splitlines()) == count
    assert await pool.fetchval("SELECT count(*) FROM llama_logs WHERE root_job_id = job_id") == count


@pytest.mark.apache_kafka
async def test_a_topic_is_read_and_archived_in_portions_of_few_bytes(
    settings: Settings, tmp_path: Path
) -> None:
    topic = TopicReader(settings, await publish_large(settings, 30))
    ends = {partition: span.end for partition, span in (await topic.spans()).items()}
    sizes = [sum(map(size_of, portion.records)) async for portion in topic.read({}, ends)]
    assert sum(sizes) > 30 * 200_000
    assert max(sizes) < PORTION_BYTES + LARGEST
    archive = tmp_path / "archive"
    await Archiver(archive, TOPIC, topic).run()
    portions = [portion.records async for portion in Archive(archive, TOPIC).read({}, ends)]
    assert sum(map(len, portions)) == 30
    assert max(sum(len(record.value or b"") for record in records) for records in portions) < (
        PORTION_BYTES + LARGEST
    )


async def test_large_headers_and_keys_count_when_an_archive_is_read(tmp_path: Path) -> None:
    topic = KeptTopic()
    large = b"h" * 300_000
    topic.partitions[0] = [Message(b"{}", at, 0, large, [("name", large)]) for at in range(12)]
    await Archiver(tmp_path, TOPIC, topic).run()
    portions = [portion async for portion in Archive(tmp_path, TOPIC).read({}, {0: 12})]
    assert max(len(portion.records) for portion in portions) <= PORTION_BYTES // 600_000 + 1
    assert sum(len(portion.records) for portion in portions) == 12


async def test_a_line_longer_than_any_message_is_damage_and_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = KeptTopic()
    topic.append(b"[" + b" " * 5000)
    await Archiver(tmp_path, TOPIC, topic).run()
    (segment,) = list_segments(tmp_path)[0]
    assert verify_segment(segment, TOPIC) == 1
    monkeypatch.setattr("llamalog_service.rebuild.archive.segments._MAX_LINE_BYTES", 1000)
    with pytest.raises(ArchiveDamagedError, match=r"line 2 .* more than 1,000 bytes"):
        verify_segment(segment, TOPIC)


async def test_events_that_came_during_a_repair_are_written_as_they_are_read(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them together may be larger than memory."""
    installation = Installation(pool)
    installation.publish(chains(12))
    await installation.ingest_all()
    forged = range(5000, 5060)
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, created_at, job_id, origin, root_job_id) "
        "SELECT id, 'forged', 'CREATED', 'SUCCESS', now(), 'forged', 'ROOT', 'forged' "
        "FROM unnest($1::uuid[]) id",
        [UUID(int=row) for row in forged],
    )

    async def publish() -> None:
        installation.publish([event(row, f"job-{row}") for row in forged])
        for partition in installation.topic.partitions:
            await installation.ingest(partition)

    sizes: list[int] = []
    write = RepairStore.write

    async def counted(self: RepairStore, batch: ShadowBatch) -> None:
        sizes.append(len(batch.rows))
        await write(self, batch)
        await write(self, batch)  # as after a commit of unknown outcome

    monkeypatch.setattr(RepairStore, "write", counted)
    report = await installation.repaired(between=publish, max_deletes=100)
    assert (report.deleted, report.restored, report.unrepaired) == (60, 60, 0)
    assert sum(sizes) == 60
    assert max(sizes) <= 21
    await installation.settle()
    assert (await installation.rebuilt()).differences.rows == 0
