"""Republishing of all rows, those recorded since, those of a root or about an entity."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from harness.log_table import stored_rows
from harness.provenance import as_stored
from harness.writers import NAMES, KeptMessages, Writer
from histories import chains
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.rebuild.republish import Republisher, RepublishSelection, RepublishStore


@pytest.fixture
async def received(pool: asyncpg.Pool) -> KeptMessages:
    """The messages to a consumer without a view, after a log of 30 rows was written."""
    await Writer(pool, KeptMessages()).write(*chains(30))
    await pool.execute("UPDATE llama_logs SET recorded_at = '2026-01-01' WHERE root_job_id <> 'root-4'")
    return KeptMessages()


def republisher(pool: asyncpg.Pool, kept: KeptMessages) -> Republisher:
    rows = RepublishStore(pool, NAMES.provenance.name)
    return Republisher(rows, ProvenanceOutbox(pool), EventPublisher(kept, NAMES, source="/tests/republish"))


async def test_every_row_is_published_and_marked_as_replayed(
    pool: asyncpg.Pool, received: KeptMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamalog_service.rebuild.republish._BATCH", 7)
    assert await republisher(pool, received).run(RepublishSelection()) == 30
    assert received.provenance == as_stored(await stored_rows(pool))
    published = received.by_topic[NAMES.provenance.name]
    assert {dict(message.headers)["llamalog-replayed"] for message in published} == {b"true"}
    assert await pool.fetchval("SELECT max(revision) FROM llama_logs") == 1


async def test_rows_supersede_what_consumers_know_from_a_database_that_was_lost(
    pool: asyncpg.Pool, received: KeptMessages
) -> None:
    await pool.execute("UPDATE llama_logs SET revision = 4, root_job_id = 'lost', origin = 'ADOPTED'")
    await republisher(pool, received).run(RepublishSelection())
    await pool.execute("TRUNCATE llama_logs")
    await Writer(pool, KeptMessages()).write(*chains(30))
    await republisher(pool, received).run(RepublishSelection())
    assert {row.root_job_id for row in received.provenance.values()} == {"lost"}

    assert await republisher(pool, received).run(RepublishSelection(), supersede=True) == 30
    assert received.provenance == as_stored(await stored_rows(pool))


async def test_a_row_that_refuses_a_higher_revision_is_set_aside(
    pool: asyncpg.Pool, received: KeptMessages
) -> None:
    await pool.execute("ALTER TABLE llama_logs ADD CHECK (revision < 2 OR root_job_id <> 'root-7')")
    assert await republisher(pool, received).run(RepublishSelection(), supersede=True) == 30
    assert received.provenance == as_stored(await stored_rows(pool))
    assert await pool.fetchval("SELECT count(*) FROM refused_rows") == 3


async def test_rows_of_a_root_or_recorded_since_are_published(
    pool: asyncpg.Pool, received: KeptMessages
) -> None:
    assert await republisher(pool, received).run(RepublishSelection(roots=("root-7",))) == 3
    assert {row.root_job_id for row in received.provenance.values()} == {"root-7"}
    received.by_topic.clear()
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert await republisher(pool, received).run(RepublishSelection(since=an_hour_ago)) == 3
    assert {row.root_job_id for row in received.provenance.values()} == {"root-4"}


async def test_rows_about_an_entity_are_published(pool: asyncpg.Pool, received: KeptMessages) -> None:
    entity = await pool.fetchval("SELECT entity_id FROM llama_logs ORDER BY id LIMIT 1")
    wanted = await pool.fetch("SELECT id FROM llama_logs WHERE entity_id = $1 OR album_id = $1", entity)
    assert await republisher(pool, received).run(RepublishSelection(entities=(entity,))) == len(wanted)
    assert set(received.provenance) == {record["id"] for record in wanted}


async def test_an_interrupted_run_resumes_on_request_and_begins_anew_otherwise(
    pool: asyncpg.Pool, received: KeptMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamalog_service.rebuild.republish._BATCH", 7)

    class Killed(Exception):
        pass

    def dying(after: int) -> KeptMessages:
        calls = iter(range(after))

        def is_away() -> bool:
            if next(calls, None) is None:
                raise Killed
            return False

        return KeptMessages(is_away)

    first = dying(3)
    with pytest.raises(Killed):
        await republisher(pool, first).run(RepublishSelection())
    assert await republisher(pool, received).run(RepublishSelection(), resume=True) == 30 - 21
    assert {**first.provenance, **received.provenance} == as_stored(await stored_rows(pool))
    assert await republisher(pool, KeptMessages()).run(RepublishSelection(), resume=True) == 30

    with pytest.raises(Killed):
        await republisher(pool, dying(1)).run(RepublishSelection())
    assert (
        await republisher(pool, KeptMessages()).run(RepublishSelection(roots=("root-7",)), resume=True) == 3
    )
    assert await republisher(pool, KeptMessages()).run(RepublishSelection()) == 30
