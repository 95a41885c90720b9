"""Late parents, through the real commands topic and the real migration consumer."""

from pathlib import Path
from uuid import UUID

import asyncpg

from harness.log_table import differences, stored_rows
from harness.service import running
from harness.settled import wait_until_consumed, wait_until_settled
from harness.topics import producing, publish_events, read_all
from histories import event
from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.provenance import Origin, Provenance
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

GRANDCHILD = event(1, "cache-cover", "create-album")
CHILD = event(2, "create-album", "import")
ROOT = event(3, "import")


async def provenance_of(settings: Settings) -> list[Provenance]:
    records = await read_all(settings.kafka, topics(settings.topic_prefix).provenance.name)
    return [decode_provenance(record.value).data for record in records]


async def test_a_grandchild_before_its_child_before_its_root_ends_with_the_right_root_and_a_correction(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    names = topics(settings.topic_prefix)
    async with (
        running("consumer", settings, tmp_path),
        running("migration-consumer", settings, tmp_path),
        producing(settings.kafka) as producer,
    ):
        for late in (GRANDCHILD, CHILD):
            await publish_events(producer, names.entity_events.name, [late])
            await wait_until_consumed(settings)
            stored = await stored_rows(pool)
            assert stored[UUID(late.id)].root.origin == Origin.PENDING
        await publish_events(producer, names.entity_events.name, [ROOT])
        await wait_until_settled(settings, pool)

    stored = await stored_rows(pool)
    assert differences(stored, [GRANDCHILD, CHILD, ROOT]) == []
    assert {row.root.root_job_id for row in stored.values()} == {"import"}
    published = await provenance_of(settings)
    for corrected in (GRANDCHILD, CHILD):
        first, *_, last = [record for record in published if record.id == UUID(corrected.id)]
        assert (first.revision, first.origin, first.root_job_id) == (1, Origin.PENDING, None)
        assert (last.origin, last.root_job_id) == (Origin.RESOLVED, "import")
        assert last.revision > first.revision
    assert [record.revision for record in published if record.id == UUID(ROOT.id)] == [1]
