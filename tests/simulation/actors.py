"""The processes of a simulation: the service's own code between a simulated broker and a real database."""

from collections.abc import Callable
from typing import Any

from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.migration_consumer import migration_delivery
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.backfill.recomputes import RecomputeQueue, RecomputeRunner, Sweep
from llamalog_service.backfill.worker import PUBLISHING_CORRECTIONS, RECOMPUTING, PeriodicTask, Worker
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.consumer.delivery import BatchDelivery, subscribe
from llamalog_service.kafka.consumer.pipeline import Steps
from llamalog_service.kafka.consumer.positions import StartOffsets
from llamalog_service.kafka.publisher import EventPublisher, MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.log.erasures import Eraser
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.log.retractions import Retractor
from llamalog_service.postgres.locks import WorkerLock
from simulation.broker import Broker
from simulation.clients import SimulatedBroker, SimulatedConsumer, SimulatedProducer
from simulation.database import Server, SimulatedPool
from simulation.world import Process, World

NAMES = topics("simulated.")
EVENTS, OVERRIDES, COMMANDS = NAMES.entity_events.name, NAMES.overrides.name, NAMES.backfill_commands.name
GROUP, MIGRATION_GROUP = "provenance", "migration"
SESSION_SECONDS = 10.0
SWEEP_EVERY = 1000.0
_POLL_EVERY = 2.0
_ROWS_A_PAGE = 4

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
        self.ingest: Ingest | None = None

    @property
    def is_publishing(self) -> bool:
        """Whether a publication is on its way, also of a batch that was given up."""
        return self.ingest is not None and bool(self.ingest._publishing)

    @property
    def consumer(self) -> SimulatedConsumer:
        assert self._kafka.consumer is not None
        return self._kafka.consumer

    def start(self, delivery: BatchDelivery) -> None:
        self._delivery = delivery
        self.world.begin(self.process, self.consumer.take_part())
        self.world.begin(self.process, self.consumer.poll())

    async def close(self) -> None:
        """Finish the batches in flight, as SIGTERM has it."""
        if self._delivery is not None:
            await self._delivery.close()


class SweepOnDemand(Sweep):
    """A sweep that reports when it has swept everything."""

    full_sweeps = 0

    async def sweep_everything(self) -> int:
        corrected = await super().sweep_everything()
        SweepOnDemand.full_sweeps += 1
        return corrected


def start_provenance_consumer(
    world: World, server: Server, broker: Broker, process: Process, fail: Fail, *, max_records: int
) -> Actor:
    """As `bootstrap` does it."""
    actor = Actor(world, broker, process, fail)
    pool: Any = SimulatedPool(world, server, process)
    log = LogStore(pool)
    ingest = Ingest(log, event_publisher(world, broker, process), JobCache(1000), group=GROUP)
    actor.ingest = ingest
    kafka: Any = actor._kafka
    delivery = BatchDelivery(
        Steps(ingest.prepare, ingest.record, ingest.publish),
        max_records=max_records,
        fail=fail,
        start=StartOffsets(lambda: log.next_offsets(GROUP), knows_ends=True),
    )
    subscribe(kafka, delivery, EVENTS, OVERRIDES, group=GROUP, session_seconds=SESSION_SECONDS)
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
    erases: bool,
    retracts: bool,
) -> Actor:
    """As `bootstrap` does it; it erases and retracts only if the history does, to save steps elsewhere."""
    actor = Actor(world, broker, process, fail)
    pool: Any = SimulatedPool(world, server, process)
    planning_pool: Any = SimulatedPool(world, server, process, keep_plans=False)
    publisher = event_publisher(world, broker, process)
    queue = RecomputeQueue(pool)
    store = RecomputeStore(planning_pool, keeping_plans=pool)
    tasks = _tasks(pool, store, publisher, sweep_clock)
    if erases:
        eraser = Eraser(planning_pool, page=_ROWS_A_PAGE)
        tasks.append(PeriodicTask("erasing", eraser.erase_next, _POLL_EVERY, wakes=PUBLISHING_CORRECTIONS))
    if retracts:
        retractor = Retractor(planning_pool, store)
        tasks.append(
            PeriodicTask("retracting", retractor.apply_next, _POLL_EVERY, wakes=PUBLISHING_CORRECTIONS)
        )
    worker = Worker(
        lock=WorkerLock(pool),
        queue=queue,
        tasks=tasks,
        poll_every=_POLL_EVERY,
    )
    kafka: Any = actor._kafka
    delivery = migration_delivery(queue, BackfillStore(pool), worker, publisher, fail=fail)
    subscribe(
        kafka,
        delivery,
        COMMANDS,
        group=MIGRATION_GROUP,
        session_seconds=SESSION_SECONDS,
    )
    actor.pools = [pool, planning_pool]
    actor.start(delivery)
    world.begin(process, worker.run())
    return actor


def event_publisher(world: World, broker: Broker, process: Process) -> EventPublisher:
    """The publisher of a process."""
    producer: Any = SimulatedProducer(world, broker, process)
    return EventPublisher(MessageProducer(producer), NAMES, source="/simulated")


def _tasks(
    pool: Any, store: RecomputeStore, publisher: EventPublisher, sweep_clock: Callable[[], float]
) -> list[PeriodicTask]:
    """As `bootstrap` has them, but for backfills, and with a sweep on demand."""
    sweep = SweepOnDemand(store, every=SWEEP_EVERY, full_every=100 * SWEEP_EVERY, clock=sweep_clock)
    relay = CorrectionRelay(ProvenanceOutbox(pool), BackfillStore(pool), publisher)

    async def sweep_if_due() -> bool:
        await sweep.sweep_if_due()
        return False

    return [
        PeriodicTask(
            RECOMPUTING,
            RecomputeRunner(RecomputeQueue(pool), store).recompute_queued,
            _POLL_EVERY,
            wakes=PUBLISHING_CORRECTIONS,
        ),
        PeriodicTask("sweeping", sweep_if_due, _POLL_EVERY),
        PeriodicTask(PUBLISHING_CORRECTIONS, relay.publish_next, _POLL_EVERY),
    ]
