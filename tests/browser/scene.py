"""The installation that the browser looks at: real servers, both consumers, the story in its log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from browser import story
from harness.api import RunningApi, running_api
from harness.databases import new_database
from harness.installation import installation
from harness.service import ServiceProcess, running
from harness.settled import wait_until_settled
from harness.topics import producing, publish
from harness.waiting import eventually
from llamalog_schemas.commands import BackfillRootsData, WholeTable
from llamalog_schemas.events import Event
from llamalog_service.bootstrap.backfills import request_backfill
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings
from llamalog_tools.devstack import LocalStack

_IS_RECORDED = "SELECT EXISTS (SELECT FROM llama_logs WHERE entity_id = $1)"
_NEVER = 3600.0
"""Seconds between sweeps: what the story leaves unsettled is to be seen as such."""
_LONG_AGO = datetime(2026, 1, 5, 12)


@dataclass(frozen=True, slots=True)
class Scene:
    """A running installation."""

    api: RunningApi
    settings: Settings
    pool: asyncpg.Pool

    @property
    def url(self) -> str:
        """Where its API and its pages are."""
        return self.api.url

    async def publish(self, *events: Event) -> None:
        """Publish events, each in its topic; the consumer records them in its own time."""
        await publish(self.settings, events)

    async def recorded(self, entity: UUID) -> None:
        """Wait until a row about an entity is in the log."""

        async def is_there() -> bool:
            return bool(await self.pool.fetchval(_IS_RECORDED, entity))

        await eventually(is_there)


@asynccontextmanager
async def open_scene(
    stack: LocalStack, postgres_url: str, template: str, folder: Path
) -> AsyncIterator[Scene]:
    """Start everything, publish the story, wait until all of it is settled."""
    async with (
        new_database(postgres_url, template) as database_url,
        installation(stack, database_url, f"browser-{uuid4().hex[:8]}.") as made,
    ):
        settings = made.model_copy(update={"sweep_seconds": _NEVER, "full_sweep_seconds": _NEVER})
        async with (
            create_pool(database_url, min_size=0, max_size=4) as pool,
            running("consumer", settings, folder) as consumer,
            running("migration-consumer", settings, folder) as migration_consumer,
        ):
            await _publish_story(settings, pool)
            metrics = ",".join([await _metrics_of(consumer), await _metrics_of(migration_consumer)])
            async with running_api(settings.model_copy(update={"api_metrics_urls": metrics})) as api:
                yield Scene(api, settings, pool)


async def _metrics_of(process: ServiceProcess) -> str:
    await process.logs_event("serving")
    return f"{process.logged('serving')[0]['address']}/metrics"


async def _publish_story(settings: Settings, pool: asyncpg.Pool) -> None:
    events = [
        *story.lemonade(),
        *story.unknown_origins(),
        *story.contradictions(),
        *story.hostile(),
    ]
    await publish(settings, events)
    async with producing(settings.kafka) as producer:
        topic = topics(settings.topic_prefix).entity_events.name
        await asyncio.gather(
            *[
                await producer.send(topic, value, key, headers=headers)
                for key, value, headers in story.refused()
            ]
        )
    await pool.execute(story.BROAD_SQL, story.BROAD_ROOT, _LONG_AGO)
    await pool.execute(story.LEGACY_SQL, story.HOSTILE_ENTITY[1], story.HOSTILE, _LONG_AGO)
    tried = BackfillRootsData(scope=WholeTable(), requested_by="otto", dry_run=True)
    await request_backfill(settings, uuid4(), tried, source="/tests", timeout=20)
    await wait_until_settled(settings, pool)
