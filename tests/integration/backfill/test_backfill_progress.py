"""The progress of backfills as it is published: an event for each change, however many change at once."""

from collections import Counter

import asyncpg
import msgspec

from harness.backfills import request, start
from harness.writers import NAMES, KeptMessages
from llamalog_schemas.commands import CancelBackfill
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.publishers import ProgressPublisher
from llamalog_service.kafka.publisher import EventPublisher


async def test_every_backfill_of_many_commands_applied_at_once_is_published(pool: asyncpg.Pool) -> None:
    kept, store = KeptMessages(), BackfillStore(pool)
    publisher = ProgressPublisher(store, EventPublisher(kept, NAMES, source="/tests"))
    commands = [start() for _ in range(120)]
    await store.apply(commands)
    while await publisher.publish_changes():
        pass
    assert _published(kept) == Counter((command.id, "queued") for command in commands)

    await store.apply([request(CancelBackfill, backfill["id"]) for backfill in await _queued(pool)])
    while await publisher.publish_changes():
        pass
    assert _published(kept) == Counter((command.id, "cancelled") for command in commands)
    assert not await publisher.publish_changes()
    assert not _published(kept)


async def _queued(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    return list(await pool.fetch("SELECT id FROM backfill_runs WHERE status = 'queued'"))


def _published(kept: KeptMessages) -> Counter[tuple[str, str]]:
    """How often each status of each backfill was published since the last call."""
    messages = kept.by_topic.pop(NAMES.backfill_events.name, [])
    events = [msgspec.json.decode(message.value or b"") for message in messages]
    return Counter((event["data"]["run"], event["data"]["status"]) for event in events)
