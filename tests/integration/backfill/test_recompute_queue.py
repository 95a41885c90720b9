"""The queue of recomputes: each is done, also if an answer to the one worker is lost."""

from uuid import UUID

import asyncpg

from llamalog_service.backfill.recomputes import QueuedRecompute, RecomputeQueue, RecomputeRunner
from llamalog_service.log.recompute import RecomputeStore


async def test_a_recompute_that_was_claimed_by_a_call_without_an_answer_is_claimed_again(
    pool: asyncpg.Pool,
) -> None:
    queue = RecomputeQueue(pool)
    await queue.enqueue([QueuedRecompute(UUID(int=1), ("job",), "adoption-changed")])
    assert [run.id for run in await queue.claim(10)] == [UUID(int=1)]  # the answer does not arrive

    assert await RecomputeRunner(queue, RecomputeStore(pool)).recompute_queued()

    assert await pool.fetchval("SELECT status FROM backfill_runs") == "completed"
    assert await queue.claim(10) == []
