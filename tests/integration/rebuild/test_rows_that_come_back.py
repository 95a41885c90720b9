"""A row that was removed and is recorded again has a higher revision than any that was published of it."""

from uuid import UUID

import asyncpg
import pytest
from aiokafka import ConsumerRecord

from harness.rebuilding import Installation
from harness.writers import NAMES, KeptMessages, Recomputer
from histories import chains, event
from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.consumer import Removed, RevisionCache
from llamalog_schemas.consumer.updates import Deduplicator
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import ProvenanceOutbox, publish_removals
from llamalog_service.rebuild.republish import Republisher, RepublishSelection, RepublishStore

LATE = UUID(int=700)
"""The row of an event that comes after a repair has removed a row of the same id."""
CORRECTED = 7


@pytest.fixture
async def removed(pool: asyncpg.Pool) -> Installation:
    """A row in no event was corrected often, published, and removed by a repair."""
    installation = Installation(pool)
    installation.publish(chains(5))
    await installation.ingest_all()
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin, revision) "
        "VALUES ($1, 'forged', 'CREATED', 'SUCCESS', 'UNTRACKED', $2)",
        LATE,
        CORRECTED,
    )
    stored = await LogStore(pool).rows_by_id([LATE])
    await installation._event_publisher.publish_provenance(stored.values())
    await installation.repaired()
    assert installation.kept.removals == [str(LATE)]
    return installation


def revisions(kept: KeptMessages) -> list[int | None]:
    """The revisions of the row in the topic; None: a tombstone."""
    messages = kept.by_topic[NAMES.provenance.name]
    ours = [message for message in messages if message.key == str(LATE).encode()]
    return [None if message.value is None else _revision(message.value) for message in ours]


def _revision(value: bytes) -> int:

    return decode_provenance(value).data.revision


async def heard(kept: KeptMessages) -> list[int]:
    """What a reader with the kit gets of the row: revisions, 0 for its removal."""
    messages = kept.by_topic[NAMES.provenance.name]
    records = [
        ConsumerRecord("t", 0, offset, 0, 0, message.key, message.value, None, 0, 0, ())
        for offset, message in enumerate(messages)
    ]
    changes = await Deduplicator(RevisionCache()).updates(records)
    ours = [change for change in changes if change.row_id == LATE]
    return [0 if isinstance(change, Removed) else change.row.revision for change in ours]


async def move_position(installation: Installation, by: int) -> None:
    await installation.pool.execute(
        "UPDATE consumer_positions SET next_offset = next_offset + $1 WHERE partition = 0", by
    )


async def test_a_row_whose_event_comes_after_its_removal_continues_its_revisions(
    removed: Installation,
) -> None:
    removed.publish([event(LATE.int, "job-700")])
    await removed.ingest_all()
    assert (await removed.revisions())[str(LATE)] == CORRECTED + 1
    assert revisions(removed.kept) == [CORRECTED, None, CORRECTED + 1]
    assert await heard(removed.kept) == [CORRECTED, 0, CORRECTED + 1]
    assert set((await removed.revisions()).values()) == {1, CORRECTED + 1}


PUT_IN = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, origin, root_job_id)
    VALUES ($1, 'restored', 'CREATED', 'SUCCESS', $2, $3, $4, $2)
"""


@pytest.mark.parametrize("job", ["job-1", None], ids=["with a job", "without a job"])
async def test_a_row_put_in_again_by_another_writer_continues_its_revisions(
    removed: Installation, job: str | None
) -> None:
    await removed.pool.execute(PUT_IN, LATE, job, None, None)
    recomputer = Recomputer(removed.pool, removed.kept)
    await recomputer.recompute(["job-1"])
    await recomputer.store.resolve_untracked()
    await removed.settle()
    assert revisions(removed.kept) == [CORRECTED, None, CORRECTED + 1]


async def test_a_row_put_in_again_with_its_root_continues_its_revisions_when_it_is_corrected(
    removed: Installation,
) -> None:
    await removed.pool.execute(PUT_IN, LATE, "top", "elsewhere", "ROOT")
    await Recomputer(removed.pool, removed.kept).recompute(["top"])
    await removed.settle()
    assert revisions(removed.kept) == [CORRECTED, None, CORRECTED + 1]


async def test_a_row_put_in_again_continues_its_revisions_when_it_is_republished(
    removed: Installation,
) -> None:
    await removed.pool.execute(PUT_IN, LATE, "top", None, "ROOT")
    republisher = Republisher(
        RepublishStore(removed.pool, NAMES.provenance.name),
        ProvenanceOutbox(removed.pool),
        removed._event_publisher,
    )
    await republisher.run(RepublishSelection())
    await republisher.run(RepublishSelection())
    assert revisions(removed.kept) == [CORRECTED, None, CORRECTED + 1, CORRECTED + 1]


async def test_other_rows_begin_at_the_first_revision(removed: Installation) -> None:
    removed.publish([event(LATE.int, "job-700"), event(701, "job-701")], partition=0)
    await removed.ingest_all()
    revisions = await removed.revisions()
    assert (revisions[str(LATE)], revisions[str(UUID(int=701))]) == (CORRECTED + 1, 1)
    assert removed.kept.provenance[UUID(int=701)].revision == 1


async def test_a_row_removed_again_continues_where_it_was(removed: Installation) -> None:
    removed.publish([event(LATE.int, "job-700")], partition=0)
    await removed.ingest_all()
    hidden = removed.topic.partitions[0].pop()  # the rebuild finds it in no event
    await removed.pool.execute(
        "UPDATE consumer_positions SET next_offset = next_offset - 1 WHERE partition = 0"
    )
    await removed.repaired()
    removed.topic.partitions[0].append(hidden)
    await removed.pool.execute(
        "UPDATE consumer_positions SET next_offset = next_offset + 1 WHERE partition = 0"
    )
    await removed.repaired()
    restored = revisions(removed.kept)
    assert restored[:4] == [CORRECTED, None, CORRECTED + 1, None]
    (last,) = restored[4:]
    assert last is not None
    assert last > CORRECTED + 1


async def test_a_row_that_is_there_when_its_tombstone_is_published_gets_another_revision(
    removed: Installation,
) -> None:
    """The tombstone of a repair that was killed comes behind the row that was recorded meanwhile."""
    removed.publish([event(LATE.int, "job-700")])
    await removed.ingest_all()
    await removed.pool.execute("UPDATE removed_rows SET is_published = false")
    await publish_removals(ProvenanceOutbox(removed.pool), removed._event_publisher)
    await removed.settle()
    assert revisions(removed.kept) == [CORRECTED, None, CORRECTED + 1, None, CORRECTED + 2]
    assert await heard(removed.kept) == [CORRECTED, 0, CORRECTED + 1, 0, CORRECTED + 2]
