"""Wait until nothing is unread, no command open and every correction told."""

import asyncio

import asyncpg

from harness.topics import lag
from llamalog_service.publish.topics import topics
from llamalog_service.settings import Settings

_POLL = 0.1


async def wait_until_settled(settings: Settings, pool: asyncpg.Pool, within: float = 60.0) -> None:
    """Wait for the end of the work, in the order in which it is handed on.

    Commands are acknowledged before the offsets of events are committed, and runs kept before those of
    commands, so that nothing can come after its check.
    """
    names = topics(settings.topic_prefix)
    stages = (
        (settings.consumer_group, names.entity_events.name),
        (settings.migration_group, names.backfill_commands.name),
    )
    async with asyncio.timeout(within):
        for group, topic in stages:
            while await lag(settings.kafka, group, topic):
                await asyncio.sleep(_POLL)
        while await pool.fetchval(
            "SELECT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))"
            " OR EXISTS (SELECT FROM provenance_outbox)"
        ):
            await asyncio.sleep(_POLL)


async def wait_until_consumed(settings: Settings, within: float = 30.0) -> None:
    """Wait until every entity event is committed."""
    async with asyncio.timeout(within):
        while await lag(
            settings.kafka, settings.consumer_group, topics(settings.topic_prefix).entity_events.name
        ):
            await asyncio.sleep(_POLL)
