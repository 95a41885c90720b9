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
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient

from chaos.load import Load
from chaos.proxy import Wire, wired_to, wired_to_database
from harness.databases import new_database
from harness.installation import installation
from harness.service import ServiceProcess
from harness.topics import committed_offsets
from harness.waiting import eventually
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.topics import Topics, topics
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings
from llamalog_tools.devstack import ApacheKafka, ApacheKafkaCluster, LocalPostgres, LocalStack
from llamalog_tools.devstack.data_dir import HOST

CONSUMERS = 3
ENDED_BY_REQUEST = {0, -signal.SIGTERM}
"""Exit codes of processes that were stopped; the latter, if it had hardly been started."""
STOPS_WITHIN = 60.0
"""Seconds: a member that is stopped while its group rebalances waits for the slowest of the others."""
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

    `pool` and `direct_url` are ways to the database that no fault on the wire concerns, by the side wire;
    `at_end` undoes what a fault did, once all is judged and the processes are gone; `wrong` is what a fault
    found wrong by itself; `expired` are the entity events that were read before retention deleted them.
    """

    stack: LocalStack
    settings: Settings
    pool: asyncpg.Pool
    direct_url: str
    wire: Wire
    side_wire: Wire
    kafka_wires: list[Wire]
    at_end: AsyncExitStack
    load: Load
    folder: Path
    consumers: list[ServiceProcess] = field(default_factory=list)
    migration_consumers: list[ServiceProcess] = field(default_factory=list)
    supervised: bool = True
    has_transactions: bool = False
    restarts: int = 0
    longest_silence: float = 0.0
    created_again: CreatedAgain | None = None
    expired: list[ConsumerRecord] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

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

    @property
    def cluster(self) -> ApacheKafkaCluster:
        assert isinstance(self.stack.kafka, ApacheKafkaCluster), "one broker has no others"
        return self.stack.kafka

    @property
    def kafka_wire(self) -> Wire:
        """The way of the processes to Kafka."""
        assert self.kafka_wires, "the broker has no listener for clients behind a wire"
        return self.kafka_wires[0]

    @property
    def _settings_of_processes(self) -> Settings:
        """Theirs lead over the wire, where there is one; those of the load and of the scene do not."""
        if not self.kafka_wires:
            return self.settings
        return self.settings.model_copy(update={"kafka": f"{HOST}:{self.kafka_wire.port}"})

    def new_consumer(self) -> ServiceProcess:
        """One more provenance consumer, started."""
        consumer = ServiceProcess("consumer", self._settings_of_processes, self.folder)
        consumer.start()
        self.consumers.append(consumer)
        return consumer

    def new_migration_consumer(self) -> ServiceProcess:
        """One more migration consumer, started."""
        migration_consumer = ServiceProcess("migration-consumer", self._settings_of_processes, self.folder)
        migration_consumer.start()
        self.migration_consumers.append(migration_consumer)
        return migration_consumer

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[asyncpg.Connection]:
        """A session of an administrator's own, on the way that no fault concerns."""
        async with self.pool.acquire() as connection:
            yield connection

    def lead_to(self, postgres: LocalPostgres) -> None:
        """Lead every way to the database to another server, as a failover does with a name or an address."""
        for wire in (self.wire, self.side_wire):
            wire.lead_to(HOST, postgres.port("postgres"))

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
        """Wait until everything before these offsets, by partition, is recorded.

        The marker of a transaction is no row: at the end of a partition only the group's offset passes it.
        """
        group, topic = self.settings.consumer_group, self.topics.entity_events.name

        async def is_recorded() -> bool:
            """all that was published is recorded"""
            reached = await self.recorded()
            left = {at for at, offset in offsets.items() if reached.get(at, 0) < offset}
            if not left or not self.has_transactions:
                return not left
            committed = await committed_offsets(self.settings.kafka, group, topic)
            return all(committed[at] >= offsets[at] for at in left)

        await eventually(is_recorded, within)

    async def execute(self, statement: str, *values: object) -> None:
        """Execute a statement as an administrator, again while PostgreSQL is away or locks collide."""

        async def is_executed() -> bool:
            try:
                async with self.administrator() as database:
                    await database.execute(statement, *values)
            except UnavailableError:
                return False
            return True

        await eventually(is_executed, within=60)

    async def until_published(self, share: float) -> None:
        """Wait until so much of the load was published."""

        async def is_said() -> bool:
            return self.load.share >= share

        await eventually(is_said, within=120)

    async def supervise(self) -> None:
        """Start again what ends by itself, as systemd or Docker would, and time the longest silence."""
        last, reached = time.monotonic(), 0
        while True:
            for process in self.processes if self.supervised else ():
                if process.exit_code not in ENDED_BY_REQUEST | {None}:
                    process.start()
                    self.restarts += 1
            now = sum((await self.recorded()).values())
            moment, is_quiet = time.monotonic(), now >= self.load.played.messages
            if not is_quiet:
                self.longest_silence = max(self.longest_silence, moment - last)
            if now > reached or is_quiet:
                last, reached = moment, max(now, reached)
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def scene(
    stack: LocalStack, folder: Path, *, messages: int, seconds: float, seed: int
) -> AsyncIterator[Scene]:
    """An installation of its own, its processes started, its load about to begin."""
    async with AsyncExitStack() as held:
        own_url = await held.enter_async_context(new_database(stack.postgres.url))
        side_wire, database_url = await held.enter_async_context(wired_to_database(own_url))
        await migrate(database_url)
        wire, wired_url = await held.enter_async_context(wired_to_database(own_url))
        pool = await held.enter_async_context(create_pool(database_url, min_size=0, max_size=4))
        settings = await held.enter_async_context(installation(stack, wired_url, f"chaos-{uuid4().hex[:8]}."))
        settings = settings.model_copy(
            update={"session_seconds": _SESSION_SECONDS, "batch_records": _BATCH_RECORDS}
        )
        names = topics(settings.topic_prefix)
        load = Load(settings.kafka, names.entity_events.name, messages=messages, seconds=seconds, seed=seed)
        at_end = await held.enter_async_context(AsyncExitStack())
        kafka_wires = []
        if isinstance(stack.kafka, ApacheKafka) and stack.kafka.proxied:
            ends = stack.kafka.port("proxied"), stack.kafka.port("proxy")
            kafka_wires.append(await held.enter_async_context(wired_to(HOST, ends[0], at=ends[1])))
        here = Scene(stack, settings, pool, database_url, wire, side_wire, kafka_wires, at_end, load, folder)
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
