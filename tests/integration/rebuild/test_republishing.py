"""Rows told again for those who lost their view: all, those recorded since, those of a root."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from harness.log_table import stored_rows
from harness.provenance import as_stored
from harness.writers import NAMES, KeptMessages, Writer
from histories import chains
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore
from llamalog_service.rebuild.republish import Republisher, RepublishSelection, RepublishStore


@pytest.fixture
async def lost(pool: asyncpg.Pool) -> KeptMessages:
    """What a reader hears who knows nothing of a log of 30 rows."""
    await Writer(pool, KeptMessages()).write(*chains(30))
    await pool.execute("UPDATE llama_logs SET recorded_at = '2026-01-01' WHERE root_job_id <> 'root-4'")
    return KeptMessages()


def republishing(pool: asyncpg.Pool, kept: KeptMessages) -> Republisher:
    rows = RepublishStore(pool, NAMES.provenance.name)
    return Republisher(rows, LogStore(pool), EventPublisher(kept, NAMES, source="/tests/republish"))


async def test_every_row_is_told_as_it_stands_and_marked_as_told_again(
    pool: asyncpg.Pool, lost: KeptMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamalog_service.rebuild.republish._BATCH", 7)
    assert await republishing(pool, lost).run(RepublishSelection()) == 30
    assert lost.provenance == as_stored(await stored_rows(pool))
    told = lost.by_topic[NAMES.provenance.name]
    assert {dict(message.headers)["llamalog-replayed"] for message in told} == {b"true"}
    assert await pool.fetchval("SELECT max(revision) FROM llama_logs") == 1


async def test_only_rows_of_a_root_or_recorded_since_are_told_if_that_is_asked(
    pool: asyncpg.Pool, lost: KeptMessages
) -> None:
    assert await republishing(pool, lost).run(RepublishSelection(roots=("root-7",))) == 3
    assert {row.root_job_id for row in lost.provenance.values()} == {"root-7"}
    lost.by_topic.clear()
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert await republishing(pool, lost).run(RepublishSelection(since=an_hour_ago)) == 3
    assert {row.root_job_id for row in lost.provenance.values()} == {"root-4"}


async def test_only_rows_about_an_entity_are_told_if_that_is_asked(
    pool: asyncpg.Pool, lost: KeptMessages
) -> None:
    entity = await pool.fetchval("SELECT entity_id FROM llama_logs ORDER BY id LIMIT 1")
    wanted = await pool.fetch("SELECT id FROM llama_logs WHERE entity_id = $1 OR album_id = $1", entity)
    assert await republishing(pool, lost).run(RepublishSelection(entities=(entity,))) == len(wanted)
    assert set(lost.provenance) == {record["id"] for record in wanted}


async def test_an_interrupted_telling_goes_on_if_that_is_asked_and_begins_anew_otherwise(
    pool: asyncpg.Pool, lost: KeptMessages, monkeypatch: pytest.MonkeyPatch
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
        await republishing(pool, first).run(RepublishSelection())
    assert await republishing(pool, lost).run(RepublishSelection(), resume=True) == 30 - 21
    assert {**first.provenance, **lost.provenance} == as_stored(await stored_rows(pool))
    assert await republishing(pool, KeptMessages()).run(RepublishSelection(), resume=True) == 30

    with pytest.raises(Killed):
        await republishing(pool, dying(1)).run(RepublishSelection())
    assert (
        await republishing(pool, KeptMessages()).run(RepublishSelection(roots=("root-7",)), resume=True) == 3
    )
    assert await republishing(pool, KeptMessages()).run(RepublishSelection()) == 30
