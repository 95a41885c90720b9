"""Overrides of the time when they were entity events: kept, moved to their topic, and rebuilt from there."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from harness.databases import DatabaseAt
from harness.log_table import differences, stored_rows
from harness.rebuilding import Installation
from harness.writers import NAMES, KeptMessages
from histories import event, override
from integration.adoption.test_publish_legacy import publish_overrides
from llamalog_schemas.codec import decode_event
from llamalog_schemas.events import Event, is_root_override
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.backfill.override_publication import OverrideRelay
from llamalog_service.domain.overrides import RootOverride, override_of
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.overrides import OverrideStore
from llamalog_service.postgres.pool import create_pool
from llamalog_service.rebuild.errors import UnsourcedRowsError

ROWS: list[Event] = [event(1, "child", "lost"), event(2, "other", "gone"), event(3, "third", "swept")]
ADOPTED, GONE, REVOKED, BY_BACKFILL = (
    override(11, "lost"),
    override(12, "gone", at=1.0),
    override(13, "gone", adopted=False, at=2.0),
    override(14, "swept"),
)
_INSERT = """
    INSERT INTO root_overrides (id, job_id, adopted, reason, requested_by, overridden_at, is_sourced)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


@pytest.fixture
async def before(database_at: DatabaseAt) -> AsyncIterator[asyncpg.Pool]:
    """A database of the release before, with overrides of operators and of a backfill."""
    url = await database_at("0014")
    async with create_pool(url, min_size=0, max_size=4) as pool:
        for one in (ADOPTED, GONE, REVOKED, BY_BACKFILL):
            assert is_root_override(one)
            await pool.execute(_INSERT, *override_of(one), one is not BY_BACKFILL)
        await migrate(url)
        yield pool


async def test_overrides_of_the_event_topic_keep_their_effect_and_are_moved(
    before: asyncpg.Pool,
) -> None:
    installation = Installation(before)
    installation.publish(ROWS)
    installation.topic.append(ADOPTED)  # as it stands there since, read again
    await installation.ingest_all()
    assert differences(await stored_rows(before), [*ROWS, ADOPTED, GONE, REVOKED, BY_BACKFILL]) == []

    with pytest.raises(UnsourcedRowsError, match=r"4 overrides.*llamalog overrides publish"):
        await installation.rebuilt()

    first = await publish_overrides(installation)
    assert (first.published, first.present, first.unpublishable) == (4, 0, [])
    again = await publish_overrides(installation)
    assert (again.published, again.present, again.unread) == (0, 4, 4)
    published = [
        override_of(decoded)
        for messages in installation.overrides.partitions.values()
        for message in messages
        if is_root_override(decoded := decode_event(message.value or b""))
    ]
    stored = await before.fetch(
        "SELECT id, job_id, adopted, reason, requested_by, overridden_at FROM root_overrides"
    )
    assert set(published) == {RootOverride(*one) for one in stored}

    await installation.ingest_all()
    rebuilt = await installation.rebuilt(discard=True)
    assert (rebuilt.differences.rows, rebuilt.overrides_differing, rebuilt.unsourced_overrides) == (0, 0, 0)
    assert (await publish_overrides(installation)).unread == 0


async def test_overrides_that_a_lost_topic_held_are_published_again(before: asyncpg.Pool) -> None:
    installation = Installation(before)
    installation.publish(ROWS)
    await publish_overrides(installation)
    await installation.ingest_all()
    lost = installation.overrides.partitions[0]
    kept = list(lost)
    lost.clear()
    assert (await publish_overrides(installation)).published == 4
    assert [message.value for message in lost] == [message.value for message in kept]


async def test_the_overrides_of_a_backfill_are_published_by_the_migration_consumer(
    before: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    relay = OverrideRelay(OverrideStore(before), EventPublisher(kept, NAMES, source="/tests"))
    assert await relay.publish_next()
    assert not await relay.publish_next()
    (message,) = kept.by_topic[NAMES.overrides.name]
    event = decode_event(message.value or b"")
    assert is_root_override(event)
    assert override_of(event) == override_of(BY_BACKFILL)  # type: ignore[arg-type]
