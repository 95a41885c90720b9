"""One run: the cast begins, plays under faults, comes to rest, and what it leaves is checked."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch
from uuid import UUID

import tenacity

from llamalog_schemas.events import UserErased, is_override, is_retraction
from llamalog_service.domain.errors import DatabaseWentBackError
from llamalog_service.kafka import publisher
from simulation.actors import (
    COMMANDS,
    EVENTS,
    GROUP,
    MIGRATION_GROUP,
    NAMES,
    OVERRIDES,
    SESSION_SECONDS,
    SWEEP_EVERY,
    Actor,
    SweepOnDemand,
    start_migration_consumer,
    start_provenance_consumer,
)
from simulation.broker import Broker, Sent
from simulation.checks import what_is_wrong, wrong_table
from simulation.database import Server
from simulation.faults import Fault
from simulation.loop import SimulatedLoop
from simulation.rebuilds import no_lock_timeout, rebuild
from simulation.scenario import Scenario
from simulation.table import NO_TABLE
from simulation.world import MAX_STEPS, STEPS_PER_MESSAGE, NeverSettledError, Process, World

_STILL_OPEN = """
    SELECT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))
        OR EXISTS (SELECT FROM provenance_outbox)
        OR (SELECT coalesce(sum(next_offset), 0) FROM consumer_positions WHERE consumer_group = $1) < $2
        OR EXISTS (SELECT FROM erasures WHERE applied_at IS NULL)
        OR EXISTS (SELECT FROM retractions WHERE waits_since IS NOT NULL)
"""
_REST = 5.0
_REBUILDS = 20
_LONGEST = 3600.0


class Played(NamedTuple):
    """How a run ended.

    Attributes:
        wrong: a line for each thing that is not as it must be.
        schedule: a digest of every step taken, in order.
    """

    wrong: list[str]
    steps: int
    befallen: list[str]
    trace: list[str]
    schedule: str


async def play(server: Server, scenario: Scenario) -> Played:
    """Play a scenario from empty tables to rest."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    await server.begin_anew()
    await scenario.table.write(server.own)
    published = await scenario.table.published(server.own)
    loop.now = 0.0  # up to here it was the machine's time that passed
    faults = list(scenario.faults.values())
    max_steps = MAX_STEPS + STEPS_PER_MESSAGE * len(scenario.messages)
    world = World(
        loop, scenario.dice("schedule"), faults, scenario.late, server.blockers, max_steps=max_steps
    )
    cast = Cast(world, server, scenario)
    for message in published:
        cast.broker.publish(NAMES.provenance.name, Sent(message.key, message.value, tuple(message.headers)))
    with _chance_and_time_of(world, scenario):
        loop.steering = world
        story = world.begin(Process("story"), cast.play())
        try:
            await asyncio.wait({story, world.failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.steering = None
            await cast.end(story)
        if world.failed.done():
            error = world.failed.exception()
            wrong = [f"{type(error).__name__}: {error}"]
        else:
            wrong = cast.wrong_before
            wrong += await what_is_wrong(server.own, cast.broker, was_set_back=cast.was_set_back)
        world.failed.cancel()
    digest = sha256("\n".join(world.trace).encode()).hexdigest()
    return Played(wrong, world.steps, world.befallen, world.trace, digest)


@contextmanager
def _chance_and_time_of(world: World, scenario: Scenario) -> Iterator[None]:
    """Ids, jitter and the timeout of retries come from the seed and from the simulated clock."""
    ids = scenario.dice("ids")
    clock = SimpleNamespace(monotonic=world.loop.time, sleep=time.sleep)
    random.seed(scenario.seed)
    with (
        patch.object(publisher, "uuid4", lambda: UUID(int=ids.getrandbits(128), version=4)),
        patch.object(tenacity, "time", clock),
        no_lock_timeout(),
    ):
        yield


class Cast:
    """The processes of a run, and who starts them again."""

    def __init__(self, world: World, server: Server, scenario: Scenario) -> None:
        self.world = world
        self.server = server
        self.scenario = scenario
        self.broker = Broker(
            world,
            {
                EVENTS: scenario.partitions,
                OVERRIDES: 1,
                COMMANDS: 2,
                NAMES.provenance.name: 2,
                NAMES.dead_letters.name: 1,
            },
        )
        self.was_set_back = False
        self.wrong_before: list[str] = []
        self._has_backup = False
        self._is_over = self._is_restarted = False
        self._sweep_time = 0.0
        self._rebuilding: asyncio.Task[None] | None = None
        self._rebuilder: Process | None = None
        self._lives = 0
        self._actors: dict[str, Actor] = {}
        world.handlers = {
            "stop": self._stop,
            "rebalance": self._rebalance,
            "freeze": self._freeze,
            "database away": self._database_away,
            "kafka away": self._kafka_away,
            "sweep": self._sweep,
            "backup": self._back_up,
            "set back": self._set_back,
        }

    async def play(self) -> None:
        """Say everything, come to rest under faults, then without them."""
        for number in range(self.scenario.consumers):
            self._start(f"consumer {number}")
        for number in range(self.scenario.migration_consumers):
            self._start(f"migration-consumer {number}")
        await self._publish_everything()
        await self._until_settled()
        self.world.no_more_faults()
        await self._until_settled()
        if self.was_set_back:
            await self._restart_everybody()
        has_table = self.scenario.table != NO_TABLE
        is_lost = any("lose command" in fault for fault in self.world.befallen)
        if self.was_set_back or is_lost or has_table:
            await self._sweep_everything()
        if has_table:
            await self._rebuild_at_rest()
        await asyncio.sleep(_REST)
        await self._until_settled()

    async def end(self, story: asyncio.Task[None]) -> None:
        """End every process, in any state."""
        self._is_over = True
        if self._rebuilder is not None:
            await self.world.kill(self._rebuilder)
        for actor in list(self._actors.values()):
            await self.world.kill(actor.process)
        story.cancel()
        await asyncio.wait({story})
        await self.world.end_backstage()

    # Lives and deaths

    def _start(self, name: str) -> None:
        if self._is_over:
            return
        self._lives += 1
        process = Process(f"{name}.{self._lives}")

        def fail(error: BaseException) -> None:
            self._fail(process, error)

        if name.startswith("consumer"):
            actor = start_provenance_consumer(
                self.world, self.server, self.broker, process, fail, max_records=self.scenario.max_records
            )
        else:
            messages = self.scenario.messages.values()
            actor = start_migration_consumer(
                self.world,
                self.server,
                self.broker,
                process,
                fail,
                sweep_clock=lambda: self._sweep_time,
                erases=any(isinstance(one.event, UserErased) for one in messages),
                retracts=any(one.event is not None and is_retraction(one.event) for one in messages),
            )
        self._actors[name] = actor
        process.at_death.append(lambda: self._bury(name, actor))

    async def _bury(self, name: str, actor: Actor) -> None:
        """The group learns of a death when the session ends, and the process is restarted."""
        dice = self.world.dice

        async def tell_group() -> None:
            await asyncio.sleep(dice.uniform(0, SESSION_SECONDS))
            actor.consumer.leave()

        async def start_again() -> None:
            await asyncio.sleep(dice.uniform(0, 15))
            self._start(name)

        if not self._is_over:
            self.world.backstage(tell_group())
            self.world.backstage(start_again())

    def _fail(self, process: Process, error: BaseException) -> None:
        if not (isinstance(error, DatabaseWentBackError) and self.was_set_back):
            self.world.end(error)
        self.world.trace.append(f"      {process.name} ends: {type(error).__name__}")
        self.world.backstage(self.world.kill(process))

    async def _restart_everybody(self) -> None:
        """What an operator does who has restored a database."""
        self._is_restarted = True
        for actor in list(self._actors.values()):
            await self.world.kill(actor.process)
        await asyncio.sleep(16)
        await self._until_settled()

    # Coming to rest

    async def _publish_everything(self) -> None:
        producers = Process("producers")
        places = list(self.scenario.messages)
        early = places[: len(places) // 3 + 1]
        rebuilds_at = self.world.dice.choice(early) if self.scenario.table != NO_TABLE and early else None
        for place, message in self.scenario.messages.items():
            if place == rebuilds_at:
                self._begin_rebuild()
            if self.scenario.pause is not None:
                await asyncio.sleep(self.scenario.pause * self.world.dice.expovariate(1))
                await self.world.turn(producers, "say", str(place))
            overrides = message.event is not None and is_override(message.event)
            partitions = self.broker.partitions[OVERRIDES if overrides != message.is_misplaced else EVENTS]
            partition = partitions[message.partition % len(partitions)]
            self.broker.append(partition, Sent(message.key, message.value, ()), timestamp=place)

    async def _until_settled(self) -> None:
        """Wait until nothing is unread, no command open, every correction published."""
        deadline = self.world.loop.now + _LONGEST
        while not await self._is_settled():
            await asyncio.sleep(1.0)
            if self.world.loop.now > deadline:
                lag = self._lag(), self.broker.lag(MIGRATION_GROUP, COMMANDS)
                raise NeverSettledError(
                    f"not at rest after {_LONGEST:.0f} s; events and commands unread: {lag}"
                )

    def _lag(self) -> int:
        return self.broker.lag(GROUP, EVENTS) + self.broker.lag(GROUP, OVERRIDES)

    async def _is_settled(self) -> bool:
        if self._lag() or self.broker.lag(MIGRATION_GROUP, COMMANDS):
            return False
        if any(actor.is_publishing for actor in self._actors.values()):
            return False
        story = Process("story")
        published = sum(
            self.broker.end(partition)
            for topic in (EVENTS, OVERRIDES)
            for partition in self.broker.partitions[topic]
        )
        if self.was_set_back and not self._is_restarted:
            published = 0  # a consumer with nothing left to read notices this only when it starts again
        await self.world.turn(story, "look")
        return not await self.world.execute(
            story, lambda: self.server.own.fetchval(_STILL_OPEN, GROUP, published)
        )

    async def _sweep_everything(self) -> None:
        done = SweepOnDemand.full_sweeps
        self._sweep_time += 100 * SWEEP_EVERY
        while SweepOnDemand.full_sweeps == done:  # noqa: ASYNC110  # whichever process it is
            await asyncio.sleep(1.0)
        await self._until_settled()

    # Rebuilds

    def _begin_rebuild(self) -> None:
        process = Process("rebuild")

        async def rebuild_once() -> None:
            await rebuild(self.world, self.server, self.broker, process)

        self._rebuilding = self.world.begin(process, rebuild_once())
        self._rebuilder = process

    async def _rebuild_at_rest(self) -> None:
        """Compare with the fold while orphans are there; then have them removed."""
        if self._rebuilding is not None:
            await asyncio.wait([self._rebuilding])
            await self._until_settled()
        story = Process("story")
        await self.world.turn(story, "compare")
        self.wrong_before = await self.world.execute(
            story, lambda: wrong_table(self.server.own, self.broker, self.scenario.table)
        )
        for attempt in range(_REBUILDS):
            if await rebuild(self.world, self.server, self.broker, Process(f"last rebuild {attempt}")):
                return
            await asyncio.sleep(1.0)
        raise NeverSettledError("the last rebuild is refused")

    # What befalls the world

    def _actor_of(self, process: Process) -> Actor | None:
        return next((actor for actor in self._actors.values() if actor.process is process), None)

    async def _stop(self, process: Process, fault: Fault) -> None:
        """SIGTERM: what is in hand is finished, and the group left."""
        if (actor := self._actor_of(process)) is not None and not process.is_dead:
            closing = self.world.begin(process, actor.close())
            await asyncio.wait({closing})
            if not process.is_dead:
                actor.consumer.leave()
                await self.world.kill(process)

    async def _rebalance(self, process: Process, fault: Fault) -> None:
        if (actor := self._actor_of(process)) is not None:
            actor.consumer.rebalance()

    async def _freeze(self, process: Process, fault: Fault) -> None:
        """SIGSTOP: who stands still for longer than its session loses its partitions to others."""
        process.frozen_until = self.world.loop.now + fault.seconds
        actor = self._actor_of(process)
        if actor is not None and fault.seconds > SESSION_SECONDS:
            await asyncio.sleep(SESSION_SECONDS)
            actor.consumer.leave()
            actor.consumer.rejoin()

    async def _database_away(self, process: Process, fault: Fault) -> None:
        self.world.database_away_until = self.world.loop.now + fault.seconds
        await self._break_connections()

    async def _kafka_away(self, process: Process, fault: Fault) -> None:
        self.world.kafka_away_until = self.world.loop.now + fault.seconds

    async def _sweep(self, process: Process, fault: Fault) -> None:
        self._sweep_time += SWEEP_EVERY

    async def _back_up(self, process: Process, fault: Fault) -> None:
        await self.world.execute(process, self.server.back_up)
        self._has_backup = True

    async def _set_back(self, process: Process, fault: Fault) -> None:
        """An older copy takes the database's place."""

        async def replace() -> None:
            await self._break_connections()
            await self.server.set_back()

        if self._has_backup:
            self.was_set_back = True
            await self.world.execute(Process("operator"), replace)

    async def _break_connections(self) -> None:
        for actor in self._actors.values():
            for pool in actor.pools:
                await pool.break_all()
        if self._rebuilder is not None:
            for break_all in self._rebuilder.at_death:
                await break_all()
