"""A batch that comes again after a crash: what its first delivery did not live to see is found."""

from collections.abc import Collection

import asyncpg

from harness.log_table import differences, stored_rows
from harness.writers import GROUP, NAMES, KeptMessages, Message, Recomputer, Writer
from histories import event
from llamalog_schemas.codec import encode
from llamalog_service.domain.roots import JobFacts
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore


async def test_a_row_without_a_job_finds_a_parent_that_was_written_beside_it(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    orphan, parent = event(1, None, "parent"), event(2, "parent")

    class Slow(LogStore):
        """Between its look at the jobs and its commit another writer does its whole work."""

        async def job_facts(self, jobs: Collection[str]) -> dict[str, JobFacts]:
            facts = await super().job_facts(jobs)
            await Writer(pool, kept, partition=1).write(parent)
            return facts

    event_publisher = EventPublisher(kept, NAMES, source="/tests")
    dying = Ingest(Slow(pool), event_publisher, JobCache(10), group=GROUP)
    await dying.record(await dying.prepare([Message(encode(orphan))]))
    # It dies before it publishes; another consumer gets the batch.
    await Writer(pool, kept).write(orphan)
    await Recomputer(pool, kept).settle()
    assert differences(await stored_rows(pool), [orphan, parent]) == []


async def test_a_number_written_short_is_not_published_long_when_it_comes_again(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    original = event(1, "job")
    short = encode(original).replace(b'{"number":1}', b'{"numbers":[' + b"9e307," * 1000 + b"1]}")
    writer = Writer(pool, kept)
    for _ in range(2):
        written = await writer._ingest.record(await writer._ingest.prepare([Message(short)]))
        await writer._ingest.publish(written)
    assert not kept.dead_letters
    sizes = [len(message.value or b"") for message in kept.by_topic[NAMES.provenance.name]]
    assert max(sizes) < 10 * min(sizes)
