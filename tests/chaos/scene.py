"""An installation under load, of which a fault breaks something: three consumers, one migration consumer."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from chaos.load import Load
from chaos.proxy import PostgresProxy, wired_to
from harness.databases import new_database
from harness.installation import installation
from harness.service import ServiceProcess
from harness.waiting import eventually
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.topics import Topics, topics
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings
from llamalog_tools.devstack import ApacheKafka, LocalPostgres, LocalStack

CONSUMERS = 3
TOLD_TO_END = {0, -signal.SIGTERM}
"""Exit codes of processes that were told to end; the latter, if it had hardly been started."""
STOPS_WITHIN = 60.0
"""Seconds: a member that is told to end while its group rebalances waits for the slowest of the others."""
_STARTED_WITHIN = 240.0
"""Seconds: four processes that start at one time take a minute of a machine with much else to do."""
_SESSION_SECONDS = 3.0
_BATCH_RECORDS = 100
"""Small, so that a fault meets a batch at every one of its steps."""
_LOOK_SECONDS = 0.05

_RECORDED = """
    SELECT partition, next_offset FROM consumer_positions WHERE consumer_group = $1 AND topic = $2
"""


class CreatedAgain(NamedTuple):
    """A topic that was deleted and created again, and when: what it held before is gone."""

    topic: str
    at: datetime


@dataclass
class Scene:
    """What a fault may lay hands on, and what is watched meanwhile.

    `pool` is a way to the database that no fault on the wire concerns.
    """

    stack: LocalStack
    settings: Settings
    pool: asyncpg.Pool
    wire: PostgresProxy
    load: Load
    folder: Path
    consumers: list[ServiceProcess] = field(default_factory=list)
    migration_consumers: list[ServiceProcess] = field(default_factory=list)
    supervised: bool = True
    restarts: int = 0
    longest_silence: float = 0.0
    created_again: CreatedAgain | None = None

    @property
    def topics(self) -> Topics:
        return topics(self.settings.topic_prefix)

    @property
    def processes(self) -> list[ServiceProcess]:
        return self.consumers + self.migration_consumers

    @property
    def postgres(self) -> LocalPostgres:
        assert isinstance(self.stack.postgres, LocalPostgres), "only a PostgreSQL of one's own can be stopped"
        return self.stack.postgres

    @property
    def kafka(self) -> ApacheKafka:
        assert isinstance(self.stack.kafka, ApacheKafka), "only a broker of one's own can be stopped"
        return self.stack.kafka

    def new_consumer(self) -> ServiceProcess:
        """One more provenance consumer, started."""
        consumer = ServiceProcess("consumer", self.settings, self.folder)
        consumer.start()
        self.consumers.append(consumer)
        return consumer

    def new_migration_consumer(self) -> ServiceProcess:
        """One more migration consumer, started."""
        migration_consumer = ServiceProcess("migration-consumer", self.settings, self.folder)
        migration_consumer.start()
        self.migration_consumers.append(migration_consumer)
        return migration_consumer

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[asyncpg.Connection]:
        """A session of its own that no read-only mode concerns."""
        async with self.pool.acquire() as connection:
            await connection.execute("SET default_transaction_read_only = off")
            yield connection

    def kill(self) -> None:
        """End every process at once."""
        for process in self.processes:
            process.signal(signal.SIGCONT)
            process.kill()

    async def recorded(self) -> dict[int, int]:
        """Up to which offset each partition of the entity events is recorded, while PostgreSQL answers."""
        try:
            rows = await self.pool.fetch(
                _RECORDED, self.settings.consumer_group, self.topics.entity_events.name
            )
        except UnavailableError:
            return {}
        return {row["partition"]: row["next_offset"] for row in rows}

    async def until_recorded(self, offsets: dict[int, int], within: float) -> None:
        """Wait until everything before these offsets, by partition, is recorded."""

        async def is_recorded() -> bool:
            reached = await self.recorded()
            return all(reached.get(partition, 0) >= offset for partition, offset in offsets.items())

        await eventually(is_recorded, within)

    async def until_said(self, share: float) -> None:
        """Wait until so much of the load was said."""

        async def is_said() -> bool:
            return self.load.share >= share

        await eventually(is_said, within=120)

    async def supervise(self) -> None:
        """Start again what ends by itself, as systemd or Docker would, and time the longest silence."""
        last, reached = time.monotonic(), 0
        while True:
            for process in self.processes if self.supervised else ():
                if process.exit_code not in TOLD_TO_END | {None}:
                    process.start()
                    self.restarts += 1
            now = sum((await self.recorded()).values())
            if now > reached or self.load.share in (0, 1):
                last, reached = time.monotonic(), max(now, reached)
            self.longest_silence = max(self.longest_silence, time.monotonic() - last)
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def scene(
    stack: LocalStack, folder: Path, *, messages: int, seconds: float, seed: int
) -> AsyncIterator[Scene]:
    """An installation of its own, its processes started, its load about to begin."""
    async with AsyncExitStack() as held:
        database_url = await held.enter_async_context(new_database(stack.postgres.url))
        await migrate(database_url)
        wire = await held.enter_async_context(wired_to(database_url))
        pool = await held.enter_async_context(create_pool(database_url, min_size=0, max_size=4))
        settings = await held.enter_async_context(installation(stack, wire.url, f"chaos-{uuid4().hex[:8]}."))
        settings = settings.model_copy(
            update={"session_seconds": _SESSION_SECONDS, "batch_records": _BATCH_RECORDS}
        )
        names = topics(settings.topic_prefix)
        load = Load(settings.kafka, names.entity_events.name, messages=messages, seconds=seconds, seed=seed)
        here = Scene(stack, settings, pool, wire, load, folder)
        held.callback(here.kill)
        for _ in range(CONSUMERS):
            here.new_consumer()
        here.new_migration_consumer()
        for consumer in here.consumers:
            await consumer.logs_event("reading", within=_STARTED_WITHIN)
        yield here


@asynccontextmanager
async def administering(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started client for topics."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
