"""A database that is replaced by an older copy while a consumer runs on it."""

import asyncpg
import pytest

from harness.writers import GROUP, NAMES, TOPIC, KeptMessages, Message, Writer
from histories import event
from llamalog_schemas import encode
from llamalog_service.domain.errors import DatabaseWentBackError
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore


async def test_nothing_is_recorded_past_the_hole_that_an_older_copy_leaves(pool: asyncpg.Pool) -> None:
    writer = Writer(pool, KeptMessages())
    await writer.write(event(1, "first"))
    copy = await pool.fetch("SELECT * FROM consumer_positions")
    await writer.write(event(2, "second"))
    await pool.execute("DELETE FROM llama_logs WHERE job_id = 'second'")
    await pool.execute("UPDATE consumer_positions SET next_offset = $1", copy[0]["next_offset"])
    prepared = await writer._ingest.prepare([Message(encode(event(3, "third")), 2, 0)])
    with pytest.raises(DatabaseWentBackError, match="start again"):
        await writer._ingest.record(prepared)
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 1


async def test_a_process_that_began_where_another_had_ended_notices_too(pool: asyncpg.Pool) -> None:
    """It has recorded nothing itself yet: what it began at is all that it knows."""
    await Writer(pool, KeptMessages()).write(event(1, "first"), event(2, "second"))
    log = LogStore(pool)
    ingest = Ingest(log, EventPublisher(KeptMessages(), NAMES, source="/tests"), JobCache(10), group=GROUP)
    assert await log.next_offsets(GROUP) == {(TOPIC, 0): 2}
    await pool.execute("DELETE FROM llama_logs WHERE job_id = 'second'")
    await pool.execute("UPDATE consumer_positions SET next_offset = 1")
    with pytest.raises(DatabaseWentBackError, match="start again"):
        await ingest.record(await ingest.prepare([Message(encode(event(3, "third")), 2, 0)]))
    assert await pool.fetchval("SELECT count(*) FROM llama_logs") == 1
