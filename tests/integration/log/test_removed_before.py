"""Rows that were removed before and come again: their revisions go on where they were."""

from uuid import UUID

import asyncpg

from harness.log_table import NOTHING_READ, stored_rows
from histories import event
from llamalog_service.domain.fold import fold
from llamalog_service.log.log_store import LogStore


async def test_a_process_that_has_written_before_anything_was_removed_notices(pool: asyncpg.Pool) -> None:
    first, second, third = fold([event(number, "job") for number in (1, 2, 3)]).values()
    store = LogStore(pool)
    revisions = []
    for row in (first, second, third):
        committed = await store.write([row.content], [row.root], [], NOTHING_READ)
        revisions.append(dict(committed.revisions))
        await pool.execute(
            "INSERT INTO removed_rows (row_id, content) VALUES ($1, $2)", UUID(int=2), {"revision": 41}
        )
    assert revisions == [{}, {UUID(int=2): 42}, {}]
    assert [row.revision for row in (await stored_rows(pool)).values()].count(42) == 1
