"""A rebuild with repair, as an operator runs it while the service goes on."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from aiokafka import TopicPartition

from llamalog_service.domain.errors import LlamalogError, UnavailableError
from llamalog_service.kafka.reader import Portion, Span
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.rebuild import repair as repairs
from llamalog_service.rebuild.rebuild import Rebuild, RebuildOptions
from llamalog_service.rebuild.repair import Repair, RepairStore
from simulation.actors import EVENTS, GROUP, OVERRIDES, event_publisher
from simulation.broker import Broker
from simulation.database import Server, SimulatedPool
from simulation.world import Process, World

_AT_ONCE: Final = 10
_NO_WAIT: Final = RebuildOptions(convergence_timeout=0.0)
"""It would wait in real time for live traffic."""


class SimulatedHistory:
    """A topic, as a rebuild reads it."""

    def __init__(self, world: World, broker: Broker, process: Process, topic: str) -> None:
        self._world = world
        self._broker = broker
        self._process = process
        self._topic = topic

    async def spans(self) -> dict[int, Span]:
        await self._turn("look up ends")
        return {at.partition: Span(0, self._broker.end(at)) for at in self._broker.partitions[self._topic]}

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        for number, end in sorted(ends.items()):
            at = starts.get(number, 0)
            while at < end:
                await self._turn("read")
                records = self._broker.read(TopicPartition(self._topic, number), at, min(_AT_ONCE, end - at))
                at += len(records)
                yield Portion(records, {number: at})

    async def _turn(self, op: str) -> None:
        await self._world.turn(self._process, op)
        if self._world.loop.now < self._world.kafka_away_until:
            raise UnavailableError("the simulated Kafka is away")


async def rebuild(world: World, server: Server, broker: Broker, process: Process) -> bool:
    """Rebuild and repair; False if it was refused or interrupted, as an operator sees it."""
    pool: Any = SimulatedPool(world, server, process, keep_plans=False)
    reads: Any = SimulatedPool(world, server, process)
    repair = Repair(
        RepairStore(pool),
        recompute=RecomputeStore(pool),
        outbox=ProvenanceOutbox(reads),
        event_publisher=event_publisher(world, broker, process),
        on_progress=lambda _: None,
    )
    history, overrides = (SimulatedHistory(world, broker, process, topic) for topic in (EVENTS, OVERRIDES))
    whole = Rebuild(
        pool, history, overrides, topic=EVENTS, overrides_topic=OVERRIDES, group=GROUP, repair=repair
    )
    try:
        await whole.run(_NO_WAIT)
    except LlamalogError as refusal:
        world.trace.append(f"      {process.name} ends: {type(refusal).__name__}")
        return False
    return True


@contextmanager
def no_lock_timeout() -> Iterator[None]:
    """It would pass in real time."""
    with patch.object(repairs, "LOCK_TIMEOUT_SECONDS", 0):
        yield
