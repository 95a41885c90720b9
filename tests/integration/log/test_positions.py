"""The positions that are recorded with the rows, where two processes have the same partition for a while."""

import asyncpg

from harness.log_table import stored_rows
from harness.writers import GROUP, NAMES, TOPIC, KeptMessages, Message
from histories import event
from llamalog_schemas import encode
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore


async def test_a_process_that_was_thought_dead_records_its_rows_and_moves_no_position_back(
    pool: asyncpg.Pool,
) -> None:
    thought_dead, other = _process(pool), _process(pool)
    late = await thought_dead.prepare([Message(encode(event(1, "first")), 0, 0)])
    await other.record(await other.prepare([Message(encode(event(2, "second")), 1, 0)]))
    await thought_dead.record(late)
    assert len(await stored_rows(pool)) == 2
    assert await LogStore(pool).next_offsets(GROUP) == {(TOPIC, 0): 2}


def _process(pool: asyncpg.Pool) -> Ingest:
    publisher = EventPublisher(KeptMessages(), NAMES, source="/tests")
    return Ingest(LogStore(pool), publisher, JobCache(10), group=GROUP)
