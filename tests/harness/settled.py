"""Wait until nothing is unread, no command open and every correction told."""

import asyncpg

from harness.topics import lag
from harness.waiting import eventually
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

_STILL_OPEN = """
    SELECT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))
        OR EXISTS (SELECT FROM provenance_outbox)
"""


async def wait_until_settled(settings: Settings, pool: asyncpg.Pool, within: float = 60.0) -> None:
    """Wait for the end of the work, in the order in which it is handed on.

    Commands are acknowledged before the offsets of events are committed, and runs kept before those of
    commands, so that nothing can come after its check.
    """
    await wait_until_consumed(settings, within)
    commands = topics(settings.topic_prefix).backfill_commands.name

    async def commands_are_kept() -> bool:
        return await lag(settings.kafka, settings.migration_group, commands) == 0

    async def runs_are_done_and_told() -> bool:
        return not await pool.fetchval(_STILL_OPEN)

    await eventually(commands_are_kept, within)
    await eventually(runs_are_done_and_told, within)


async def wait_until_consumed(settings: Settings, within: float = 30.0) -> None:
    """Wait until every entity event is committed."""
    events = topics(settings.topic_prefix).entity_events.name

    async def all_is_committed() -> bool:
        return await lag(settings.kafka, settings.consumer_group, events) == 0

    await eventually(all_is_committed, within)
