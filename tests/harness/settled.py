"""Wait until nothing is unread, no command open and every correction published."""

import asyncpg

from harness.topics import open_lag
from harness.waiting import TIMEOUT, eventually
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings

_STILL_OPEN = """
    SELECT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))
        OR EXISTS (SELECT FROM provenance_outbox)
        OR EXISTS (SELECT FROM root_overrides WHERE to_publish)
        OR EXISTS (SELECT FROM erasures WHERE applied_at IS NULL)
        OR EXISTS (SELECT FROM retractions WHERE waits_since IS NOT NULL)
"""


async def wait_until_settled(
    settings: Settings, pool: asyncpg.Pool, within: float = TIMEOUT, *, is_ingesting: bool = True
) -> None:
    """Wait for the end of the work, in the order in which it is handed on.

    Commands are acknowledged before the offsets of events are committed, and runs kept before those of
    commands, so that nothing can come after its check.

    Args:
        is_ingesting: whether a provenance consumer runs.
    """
    names = topics_of(settings)
    if is_ingesting:
        await wait_until_committed(settings, settings.consumer_group, names.entity_events.name, within)
        await wait_until_committed(settings, settings.consumer_group, names.overrides.name, within)
    await wait_until_committed(settings, settings.migration_group, names.backfill_commands.name, within)

    async def runs_are_done_and_published() -> bool:
        return not await pool.fetchval(_STILL_OPEN)

    await eventually(runs_are_done_and_published, within)


async def wait_until_consumed(settings: Settings, within: float = TIMEOUT) -> None:
    """Wait until every entity event is committed."""
    events = topics_of(settings).entity_events.name
    await wait_until_committed(settings, settings.consumer_group, events, within)


async def wait_until_committed(settings: Settings, group: str, topic: str, within: float = TIMEOUT) -> None:
    """Wait until a group has committed everything that a topic holds."""
    async with open_lag(settings.kafka, group, topic) as lag:

        async def all_is_committed() -> bool:
            return await lag() == 0

        await eventually(all_is_committed, within)
