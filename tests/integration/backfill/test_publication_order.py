"""Several processes publish the provenance of one row: what comes last in the topic is what the table has."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import stored_rows
from harness.writers import NAMES, KeptMessages, Recomputer, Writer
from histories import event
from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import Root
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import ProvenanceOutbox, publish_removals
from llamalog_service.rebuild.republish import Republisher, RepublishSelection, RepublishStore

ROW = UUID(int=1)
REMOVE = """
    WITH removed AS (DELETE FROM llama_logs l WHERE l.id = $1 RETURNING l.id, to_jsonb(l) AS content)
    INSERT INTO removed_rows (row_id, content) SELECT id, content FROM removed
"""
CORRECT = """
    WITH raised AS (UPDATE llama_logs SET revision = revision + 1 WHERE id = $1 RETURNING id, revision)
    INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, revision, $2 FROM raised
"""

Step = Callable[[], Awaitable[None]]


class Interrupted(KeptMessages):
    """A topic in which another process does something once, right before or after a message of a row."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Step | None = None
        self.after: Step | None = None

    async def send_batched(self, topic: str, messages: Iterable[MessageToSend]) -> None:
        before, after, self.before, self.after = self.before, self.after, None, None
        if before is not None:
            await before()
        await super().send_batched(topic, messages)
        if after is not None:
            await after()

    @property
    def last(self) -> int | None:
        """The revision of the row that came last; None: a tombstone."""
        messages = self.by_topic[NAMES.provenance.name]
        value = [message.value for message in messages if message.key == str(ROW).encode()][-1]
        return None if value is None else decode_provenance(value).data.revision


@pytest.fixture
async def topic(pool: asyncpg.Pool) -> Interrupted:
    """The topic after a row was recorded and published."""
    kept = Interrupted()
    await Writer(pool, kept).write(event(1, "one"), event(2, "two"))
    return kept


async def settle(pool: asyncpg.Pool, topic: Interrupted) -> None:
    await Recomputer(pool, topic).publish_corrections()
    assert await pool.fetchval("SELECT count(*) FROM provenance_outbox") == 0
    row = (await stored_rows(pool)).get(ROW)
    assert topic.last == (None if row is None else row.revision)


def removing(pool: asyncpg.Pool, topic: Interrupted) -> Step:
    """A rebuild removes the row and publishes its tombstone."""

    async def remove() -> None:
        await pool.execute(REMOVE, ROW)
        await publish_removals(ProvenanceOutbox(pool), EventPublisher(topic, NAMES, source="/tests"))

    return remove


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_correction_in_hand_comes_before_the_tombstone_of_its_row(
    pool: asyncpg.Pool, topic: Interrupted, bulk: bool
) -> None:
    await pool.execute(CORRECT, ROW, bulk)
    topic.before = removing(pool, topic)
    await settle(pool, topic)
    assert topic.last is None


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_correction_in_hand_comes_before_a_later_one_of_another_process(
    pool: asyncpg.Pool, topic: Interrupted, bulk: bool
) -> None:
    async def correct() -> None:
        await pool.execute(CORRECT, ROW, bulk)
        await Recomputer(pool, topic).publish_corrections()

    await pool.execute(CORRECT, ROW, bulk)
    topic.before = correct
    await settle(pool, topic)
    assert topic.last == 3


async def test_a_correction_in_hand_of_a_process_that_is_killed_comes_before_the_tombstone(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    await pool.execute(CORRECT, ROW, False)
    page = await ProvenanceOutbox(pool).next_prompt(10)
    await removing(pool, topic)()
    await EventPublisher(topic, NAMES, source="/tests").publish_provenance(page.rows)
    await settle(pool, topic)


async def test_the_first_record_of_a_row_comes_before_its_tombstone(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    topic.before = removing(pool, topic)
    await Writer(pool, topic).write(event(1, "one"))
    await settle(pool, topic)
    assert topic.last is None


async def test_an_older_record_that_comes_before_a_correction_is_noted_as_published_comes_before_it(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    first = list((await LogStore(pool).rows_by_id([ROW])).values())

    async def publish_first() -> None:
        await EventPublisher(topic, NAMES, source="/tests").publish_provenance(first)
        await LogStore(pool).requeue_overtaken(first)

    await pool.execute(CORRECT, ROW, False)
    topic.after = publish_first
    await settle(pool, topic)
    assert topic.last == 2


async def test_a_record_that_comes_before_a_tombstone_is_noted_as_published_comes_before_it(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    first = list((await LogStore(pool).rows_by_id([ROW])).values())

    async def publish_first() -> None:
        await EventPublisher(topic, NAMES, source="/tests").publish_provenance(first)
        await LogStore(pool).requeue_overtaken(first)

    topic.after = publish_first
    await removing(pool, topic)()
    await settle(pool, topic)
    assert topic.last is None


async def test_a_record_of_before_a_restore_is_followed_by_the_row_as_it_is_now(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    (now,) = (await LogStore(pool).rows_by_id([ROW])).values()
    at = now.recorded_at - timedelta(seconds=1)  # the copy was recorded anew
    before = replace(now, root=Root("another root", Origin.RESOLVED), recorded_at=at)
    await LogStore(pool).requeue_overtaken([now])
    assert await ProvenanceOutbox(pool).count() == 0
    await EventPublisher(topic, NAMES, source="/tests").publish_provenance([before])
    await LogStore(pool).requeue_overtaken([before])
    assert await ProvenanceOutbox(pool).count() == 1
    await settle(pool, topic)
    assert await ProvenanceOutbox(pool).count() == 0


async def test_a_tombstone_in_hand_comes_before_the_row_that_is_recorded_again(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    async def record_again() -> None:
        await Recomputer(pool, topic).publish_corrections()
        await Writer(pool, topic).write(event(1, "one"))

    topic.before = record_again
    await removing(pool, topic)()
    await settle(pool, topic)
    assert topic.last == 3


@pytest.mark.parametrize("supersede", [False, True])
async def test_a_record_that_is_republished_comes_before_the_tombstone_of_its_row(
    pool: asyncpg.Pool, topic: Interrupted, supersede: bool
) -> None:
    publisher = EventPublisher(topic, NAMES, source="/tests")
    republisher = Republisher(RepublishStore(pool, NAMES.provenance.name), ProvenanceOutbox(pool), publisher)
    topic.before = removing(pool, topic)
    await republisher.run(RepublishSelection(), supersede=supersede)
    await settle(pool, topic)
    assert topic.last is None


async def test_a_revision_that_is_continued_is_published_though_republishing_is_killed(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    await removing(pool, topic)()
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin) "
        "VALUES ($1, 'restored', 'CREATED', 'SUCCESS', 'UNTRACKED')",
        ROW,
    )
    await RepublishStore(pool, NAMES.provenance.name).continue_revisions([ROW])
    await settle(pool, topic)
    assert topic.last == 2


async def test_revisions_that_are_superseded_are_published_though_republishing_is_killed(
    pool: asyncpg.Pool, topic: Interrupted
) -> None:
    await RepublishStore(pool, NAMES.provenance.name).supersede([ROW])
    await settle(pool, topic)
    assert topic.last == 1001
