"""Rows that were there before events existed, told as events: the topic holds everything then."""

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import empty_tables, stored_rows
from harness.rebuilding import Installation, rows_as_text
from harness.writers import TOPIC, KeptMessages
from histories import chains, event
from integration.test_legacy_rows import ODD, legacy_url
from llamalog_schemas.codec import decode_event
from llamalog_schemas.events import is_legacy_row
from llamalog_service.backfill.sweep import Sweep
from llamalog_service.publish.producer import OutgoingMessage
from llamalog_service.replay.errors import EventlessRowsError
from llamalog_service.replay.genesis import Genesis, Told
from llamalog_service.store.connection import prepare_connection
from llamalog_service.store.genesis import GenesisStore
from llamalog_service.store.recompute import RecomputeStore

__all__ = ["legacy_url"]

LEGACY = """
    INSERT INTO llama_logs (
        id, operation, category, status, job_id, parent_job_id, is_root_job, created_at, recorded_at
    )
    SELECT md5(n::text)::uuid, 'old:' || n, 'CREATED', 'SUCCESS',
           CASE WHEN n % 5 > 0 THEN 'old-' || n END, CASE WHEN n % 5 > 1 THEN 'old-' || n - 1 END, n % 5 = 1,
           '2024-01-01', (SELECT before::timestamptz FROM migration_journal WHERE kind = 'taken over')
    FROM generate_series(1, $1) n
"""


@pytest.fixture
async def pool(legacy_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Of a table as lax as an old one."""
    async with asyncpg.create_pool(legacy_url, min_size=0, max_size=4, init=prepare_connection) as pool:
        await pool.execute("DELETE FROM llama_logs")
        yield pool


@pytest.fixture
async def adopted(pool: asyncpg.Pool) -> Installation:
    """Odd rows and plain ones from before events existed, their roots worked out, and events since."""
    await pool.execute(LEGACY, 20 + len(ODD))
    rows = await pool.fetch("SELECT id FROM llama_logs ORDER BY operation LIMIT $1", len(ODD))
    for odd, row in zip(ODD.values(), rows, strict=True):
        await pool.execute(f"UPDATE llama_logs SET {odd} WHERE id = $1", row["id"])
    await pool.execute(
        "INSERT INTO root_decrees (id, job_id, adopted, reason, requested_by, decreed_at) "
        "VALUES (gen_random_uuid(), 'never', true, 'a backfill', 'me', '2026-01-01')"
    )
    await Sweep(RecomputeStore(pool), every=1, full_every=9, clock=lambda: 0).sweep_everything()
    installation = Installation(pool)
    installation.say([*chains(12), event(100, "new", "old-2"), event(101, "below", "never")])
    await installation.ingest_all()
    return installation


class IntoTopic(KeptMessages):
    """Publishes into a topic in memory, as often as it is let."""

    def __init__(self, installation: Installation, calls: int = 1000) -> None:
        super().__init__()
        self._topic = installation.topic
        self._calls = calls

    async def publish(self, topic: str, messages: Iterable[OutgoingMessage]) -> None:
        assert topic == TOPIC
        self._calls -= 1
        if self._calls < 0:
            raise KeyboardInterrupt
        for number, message in enumerate(messages):
            self._topic.say(message.value, number)


async def tell(installation: Installation, publisher: IntoTopic | None = None) -> Told:
    publisher = publisher or IntoTopic(installation)
    return await Genesis(GenesisStore(installation.pool), publisher, TOPIC, lambda _: None).run()


async def test_before_it_a_rebuild_is_refused_and_after_it_nothing_differs(adopted: Installation) -> None:
    with pytest.raises(EventlessRowsError) as refused:
        await adopted.rebuilt()
    assert (refused.value.rows, refused.value.decrees) == (20 + len(ODD), 1)
    before = await rows_as_text(adopted.pool)
    told = await tell(adopted)
    assert (told.rows, told.decrees) == (20 + len(ODD), 1)
    assert told.untellable == ()
    await adopted.ingest_all()
    assert adopted.kept.dead_letters == []
    assert await rows_as_text(adopted.pool) == before
    report = await adopted.rebuilt()
    assert adopted.lines == []
    assert report.live == report.rebuilt


async def test_after_it_the_log_can_be_made_from_the_topic_alone(adopted: Installation) -> None:
    await tell(adopted)
    await adopted.ingest_all()
    before = (await adopted.rebuilt()).rebuilt
    await empty_tables(adopted.pool)
    assert (await adopted.rebuilt()).filled
    again = await adopted.rebuilt()
    assert adopted.lines == []
    assert again.live == before


async def test_it_goes_on_where_it_was_interrupted_and_finds_nothing_left_in_the_end(
    adopted: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamalog_service.replay.genesis._AT_ONCE", 7)
    with pytest.raises(KeyboardInterrupt):
        await tell(adopted, IntoTopic(adopted, calls=3))
    rest = await tell(adopted)
    assert (rest.decrees, rest.rows) == (0, 20 + len(ODD) - 14)
    assert await tell(adopted) == Told(0, 0, ())
    events = [
        decode_event(message.value or b"") for some in adopted.topic.partitions.values() for message in some
    ]
    told = [one.id for one in events if is_legacy_row(one)]
    assert len(told) == len(set(told)) == 20 + len(ODD)


async def test_an_event_that_bears_the_id_of_a_legacy_row_is_a_duplicate_whatever_it_says(
    adopted: Installation,
) -> None:
    row = await adopted.pool.fetchval("SELECT id FROM llama_logs WHERE operation = 'old:11'")
    before = await rows_as_text(adopted.pool)
    await tell(adopted)
    adopted.say([replace(event(900, "another", "content"), id=str(row))])
    await adopted.ingest_all()
    assert adopted.kept.dead_letters == []
    assert await rows_as_text(adopted.pool) == before
    assert (await adopted.rebuilt()).differences.rows == 0
    await empty_tables(adopted.pool)
    await adopted.rebuilt()
    assert (await stored_rows(adopted.pool))[UUID(str(row))].content.operation == "old:11"


async def test_a_consumer_records_a_legacy_row_that_it_does_not_find(pool: asyncpg.Pool) -> None:
    await pool.execute(LEGACY, 10)
    await Sweep(RecomputeStore(pool), every=1, full_every=9, clock=lambda: 0).sweep_everything()
    before = await rows_as_text(pool)
    installation = Installation(pool)
    await tell(installation)
    await empty_tables(pool)
    await installation.ingest_all()
    assert await rows_as_text(pool) == before
