"""Corrections of large rows: read from the outbox and published few at once, in bounded memory."""

from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from harness.large import ALLOWED_MEGABYTES, LARGE_ROWS, peak_megabytes
from harness.service import running
from harness.settled import wait_until_settled
from harness.writers import NAMES, KeptMessages
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import BYTES_AT_ONCE, ProvenanceOutbox
from llamalog_service.settings import Settings

WAITING = "SELECT count(*) FROM provenance_outbox"
NOTE = "INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, 2, $1 FROM llama_logs"


class Portions(KeptMessages):
    """Keeps, of everything sent at once, how many bytes it was and which rows, but no message."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.rows: list[bytes] = []

    async def send_batched(self, topic: str, messages: list[MessageToSend]) -> None:  # type: ignore[override]
        self.sizes.append(sum(len(message.value or b"") for message in messages))
        self.rows += [message.key or b"" for message in messages]


@pytest.mark.parametrize("bulk", [False, True])
async def test_large_rows_are_published_a_few_at_once_each_of_them_once(
    pool: asyncpg.Pool, bulk: bool
) -> None:
    await pool.execute(LARGE_ROWS, 40, 248)
    await pool.execute(NOTE, bulk)
    gone = UUID(int=3)
    await pool.execute("DELETE FROM llama_logs WHERE id = $1", gone)
    kept = Portions()
    relay = CorrectionRelay(
        ProvenanceOutbox(pool), BackfillStore(pool), EventPublisher(kept, NAMES, source="/tests")
    )
    while await relay.publish_next():
        pass
    assert max(kept.sizes) <= BYTES_AT_ONCE + 16 * 2048
    assert sorted(kept.rows) == sorted(str(UUID(int=row)).encode() for row in range(1, 41) if row != 3)
    assert await pool.fetchval(WAITING) == 0


async def test_a_row_larger_than_all_that_is_read_at_once_is_published_by_itself(pool: asyncpg.Pool) -> None:
    await pool.execute(LARGE_ROWS, 2, 5000)
    await pool.execute(NOTE, False)
    outbox = ProvenanceOutbox(pool)
    pages = []
    while (page := await outbox.next_prompt(10)).rows:
        pages.append([row.content.id.int for row in page.rows])
        await outbox.delete_page(page)
    assert pages == [[1], [2]]


@pytest.mark.apache_kafka
async def test_the_migration_consumer_publishes_large_corrections_in_bounded_memory(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await pool.execute(LARGE_ROWS, 120, 248)
    await pool.execute(NOTE, False)
    async with running("migration-consumer", settings, tmp_path) as consumer:
        await wait_until_settled(settings, pool)
        assert peak_megabytes(consumer) <= ALLOWED_MEGABYTES
