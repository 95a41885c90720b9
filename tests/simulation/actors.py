"""The processes of a simulation: the service's own code between a simulated broker and a real database."""

import asyncio
from collections.abc import Callable
from typing import Any

from llamalog_service.backfill import corrections, recompute
from llamalog_service.backfill.sweep import Sweep
from llamalog_service.consumer import subscribe_provenance_consumer
from llamalog_service.delivery import BatchDelivery
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.ingest.ingest import Ingest
from llamalog_service.ingest.job_cache import JobCache
from llamalog_service.migrator import subscribe_migration_consumer
from llamalog_service.publish.announcer import Announcer
from llamalog_service.publish.producer import Publisher
from llamalog_service.publish.topics import topics
from llamalog_service.store.backfills import BackfillStore
from llamalog_service.store.log import LogStore
from llamalog_service.store.outbox import Outbox
from llamalog_service.store.recompute import RecomputeStore
from llamalog_service.store.runs import RunStore
from llamalog_service.store.worker_lock import WorkerLock
from simulation.broker import Broker
from simulation.clients import SimulatedBroker, SimulatedConsumer, SimulatedProducer
from simulation.database import Server, SimulatedPool
from simulation.world import Process, World

NAMES = topics("simulated.")
EVENTS, COMMANDS = NAMES.entity_events.name, NAMES.backfill_commands.name
GROUP, MIGRATION_GROUP = "provenance", "migration"
SESSION_SECONDS = 10.0
SWEEP_EVERY = 1000.0
_POLL_EVERY = 2.0

Fail = Callable[[BaseException], None]


class Actor:
    """A consumer process: what it is made of while it lives."""

    def __init__(self, world: World, broker: Broker, process: Process, fail: Fail) -> None:
        self.process = process
        self.fail = fail
        self.world = world
        self.pools: list[SimulatedPool] = []
        self._kafka = SimulatedBroker(world, broker, process)
        self._delivery: BatchDelivery | None = None

    @property
    def consumer(self) -> SimulatedConsumer:
        assert self._kafka.consumer is not None
        return self._kafka.consumer

    def start(self, delivery: BatchDelivery) -> None:
        self._delivery = delivery
        self.world.begin(self.process, self.consumer.take_part())
        self.world.begin(self.process, self.consumer.poll())

    async def close(self) -> None:
        """Finish what is in hand, as SIGTERM has it."""
        if self._delivery is not None:
            await self._delivery.close()


class SweepOnDemand(Sweep):
    """A sweep that tells when it has looked at everything."""

    full_sweeps = 0

    async def sweep_everything(self) -> int:
        corrected = await super().sweep_everything()
        SweepOnDemand.full_sweeps += 1
        return corrected


def start_provenance_consumer(
    world: World, server: Server, broker: Broker, process: Process, fail: Fail, *, max_records: int
) -> Actor:
    """As `wiring` does it."""
    actor = Actor(world, broker, process, fail)
    pool: Any = SimulatedPool(world, server, process)
    log = LogStore(pool)
    ingest = Ingest(log, _announcer(world, broker, process), JobCache(1000), group=GROUP)
    kafka: Any = actor._kafka
    delivery = subscribe_provenance_consumer(
        kafka,
        ingest,
        stored_positions=lambda: log.next_offsets(GROUP, EVENTS),
        topic=EVENTS,
        group=GROUP,
        session_seconds=SESSION_SECONDS,
        max_records=max_records,
        knows_ends=True,
        fail=fail,
    )
    actor.pools = [pool]
    actor.start(delivery)
    return actor


def start_migration_consumer(
    world: World,
    server: Server,
    broker: Broker,
    process: Process,
    fail: Fail,
    *,
    sweep_clock: Callable[[], float],
) -> Actor:
    """As `wiring` does it."""
    actor = Actor(world, broker, process, fail)
    pool: Any = SimulatedPool(world, server, process)
    planning_pool: Any = SimulatedPool(world, server, process, keep_plans=False)
    announcer = _announcer(world, broker, process)
    repairs: Any = Repairs(pool, RecomputeStore(planning_pool), announcer, sweep_clock)
    kafka: Any = actor._kafka
    delivery = subscribe_migration_consumer(
        kafka,
        repairs.runs,
        BackfillStore(pool),
        repairs,
        announcer,
        topic=COMMANDS,
        group=MIGRATION_GROUP,
        session_seconds=SESSION_SECONDS,
        fail=fail,
    )
    actor.pools = [pool, planning_pool]
    actor.start(delivery)
    world.begin(process, repairs.run())
    return actor


def _announcer(world: World, broker: Broker, process: Process) -> Announcer:
    producer: Any = SimulatedProducer(world, broker, process)
    return Announcer(Publisher(producer), NAMES, source="/simulated")


class Repairs:
    """The worker's way through runs, corrections and sweeps, in as many words."""

    def __init__(
        self, pool: Any, store: RecomputeStore, announcer: Announcer, sweep_clock: Callable[[], float]
    ) -> None:
        self.runs = RunStore(pool)
        self._lock = WorkerLock(pool)
        self._store = store
        self._outbox = Outbox(pool)
        self._announcer = announcer
        self._sweep = SweepOnDemand(store, every=SWEEP_EVERY, full_every=100 * SWEEP_EVERY, clock=sweep_clock)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            try:
                async with self._lock.attempt() as lock:
                    if lock is not None:
                        await self.runs.requeue_left()
                        await self._tell()
                    while lock is not None and lock.is_held():
                        await self._work()
            except UnavailableError:
                pass  # begun anew, as after a crash
            await asyncio.sleep(_POLL_EVERY)

    async def _work(self) -> None:
        while claimed := await self.runs.claim(100):
            jobs = sorted({job for run in claimed for job in run.jobs})
            repair = await recompute.recompute_until_settled(self._store, jobs)
            await self._tell()
            await self.runs.finish([run.id for run in claimed], repair.passes, repair.rows_changed)
        await self._sweep.sweep_if_due()
        await self._tell()
        try:
            await asyncio.wait_for(self._wake.wait(), _POLL_EVERY)
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def _tell(self) -> None:
        await corrections.tell_corrections(self._outbox, self._announcer)
