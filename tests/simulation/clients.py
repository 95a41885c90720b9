"""What the service takes for aiokafka's clients and for FastStream's broker."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from zlib import crc32

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaTimeoutError

from llamalog_service.kafka.consumer.delivery import BatchDelivery
from simulation.broker import Broker, Group, Sent
from simulation.faults import FETCH, OFFSETS, PUBLISH
from simulation.world import Process, World

_UNANSWERED = 11.0
"""Seconds that a commit of offsets takes when it fails: the client itself would try for ever."""


class SimulatedProducer:
    """An idempotent producer: what it sends to one partition keeps its order."""

    def __init__(self, world: World, broker: Broker, process: Process) -> None:
        self._world = world
        self._broker = broker
        self._process = process
        self._last: dict[TopicPartition, asyncio.Future[None]] = {}

    async def partitions_for(self, topic: str) -> set[int]:
        return {partition.partition for partition in self._broker.partitions[topic]}

    def create_batch(self) -> "SimulatedBatch":
        return SimulatedBatch()

    async def send_batch(
        self, batch: "SimulatedBatch", topic: str, *, partition: int
    ) -> asyncio.Future[None]:
        return self._send(TopicPartition(topic, partition), batch.messages)

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, *, headers: list[tuple[str, bytes | None]]
    ) -> asyncio.Future[None]:
        partition = crc32(key or b"") % len(self._broker.partitions[topic])
        return self._send(TopicPartition(topic, partition), [Sent(key, value, tuple(headers))])

    def _send(self, partition: TopicPartition, messages: list[Sent]) -> asyncio.Future[None]:
        before = self._last.get(partition)
        sending = self._last[partition] = asyncio.create_task(self._deliver(partition, messages, before))
        return sending

    async def _deliver(
        self, partition: TopicPartition, messages: list[Sent], before: asyncio.Future[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        what = f"{len(messages)} to {partition.topic}/{partition.partition}"
        fault = await self._world.turn(self._process, PUBLISH, what)
        if self._world.loop.now < self._world.kafka_away_until:
            raise KafkaTimeoutError
        if fault is None or (fault.after and fault.kind != "lose command"):
            for message in messages:
                self._broker.append(partition, message)
        if fault is not None and fault.kind == "crash":
            await self._world.die(self._process)
        if fault is not None and fault.kind == "fail":
            raise KafkaTimeoutError


class SimulatedBatch:
    """Messages for one partition."""

    def __init__(self) -> None:
        self.messages: list[Sent] = []

    def append(
        self,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
        timestamp: None,
    ) -> bool:
        self.messages.append(Sent(key, value, tuple(headers)))
        return True

    def record_count(self) -> int:
        return len(self.messages)


class SimulatedConsumer:
    """A member of a group: fetches, commits, rebalances; FastStream's loop around it included."""

    def __init__(
        self,
        world: World,
        broker: Broker,
        process: Process,
        group: Group,
        *,
        topics: tuple[str, ...],
        max_records: int,
        listener: BatchDelivery,
        handle: Callable[[tuple[ConsumerRecord, ...]], Awaitable[None]],
    ) -> None:
        self._topics = topics
        self._world = world
        self._broker = broker
        self._process = process
        self._group = group
        self._max_records = max_records
        self._listener = listener
        self._handle = handle
        self._generation = -1
        self._assigned: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._highwaters: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._must_rejoin = asyncio.Event()
        self._must_rejoin.set()
        self._reassigning = True

    # What the delivery calls

    def assignment(self) -> set[TopicPartition]:
        return set(self._assigned)

    def subscription(self) -> set[str]:
        return set(self._topics)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {partition.partition for partition in self._broker.partitions[topic]}

    def paused(self) -> set[TopicPartition]:
        return self._paused & self._assigned

    def pause(self, *partitions: TopicPartition) -> None:
        self._check_assigned(partitions)
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._check_assigned(partitions)
        self._paused.difference_update(partitions)
        self._broker.notify()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._check_assigned([partition])
        self._positions[partition] = offset
        self._broker.notify()

    async def position(self, partition: TopicPartition) -> int:
        self._check_assigned([partition])
        return self._positions[partition]

    def highwater(self, partition: TopicPartition) -> int | None:
        self._check_assigned([partition])
        return self._highwaters.get(partition)

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        """As of a broker that knows of no transactions."""
        self._check_assigned([partition])
        return None

    async def committed(self, partition: TopicPartition) -> int | None:
        await self._world.turn(self._process, "look up offsets")
        return self._group.committed.get(partition)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._world.turn(self._process, "look up ends")
        return {partition: self._broker.end(partition) for partition in partitions}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._check_assigned(offsets)
        shown = " ".join(f"{at.partition}:{offset}" for at, offset in sorted(offsets.items()))
        fault = await self._world.turn(self._process, OFFSETS, shown)
        if self._world.loop.now < self._world.kafka_away_until:
            await asyncio.sleep(_UNANSWERED)
        if self not in self._group.members or self._generation != self._group.generation:
            self.rejoin()
            raise CommitFailedError("the simulated group has shared its partitions anew")
        if fault is None or fault.after:
            self._group.committed.update(offsets)
        if fault is not None and fault.kind == "crash":
            await self._world.die(self._process)
        if fault is not None:
            await asyncio.sleep(_UNANSWERED)

    def _check_assigned(self, partitions: Any) -> None:
        for partition in partitions:
            if partition not in self._assigned:
                raise IllegalStateError(f"Partition {partition} is not assigned")

    # What the group calls

    def rejoin(self) -> None:
        self._must_rejoin.set()

    # What runs in the background

    async def take_part(self) -> None:
        """Rejoin the group whenever it shares its partitions anew."""
        while True:
            await self._must_rejoin.wait()
            await self._world.turn(self._process, "rejoin")
            self._must_rejoin.clear()
            self._reassigning = True
            await self._listener.on_partitions_revoked(set(self._assigned))
            share = await self._group.join(self)
            await self._world.turn(
                self._process, "assigned", str([partition.partition for partition in share])
            )
            self._generation = self._group.generation if self in self._group.members else -1
            if self._must_rejoin.is_set():
                continue  # shared anew before it heard of its share
            self._assigned = set(share)
            self._paused.clear()
            self._highwaters.clear()
            self._positions = {partition: self._group.committed.get(partition, 0) for partition in share}
            self._reassigning = False
            await self._listener.on_partitions_assigned(set(share))
            self._broker.notify()

    async def poll(self) -> None:
        """Fetch and hand over, one after the other."""
        while True:
            if self._reassigning or not self._has_something_to_read():
                await self._broker.something_new()
                continue
            fault = await self._world.turn(self._process, FETCH)
            if fault is not None and fault.kind == "crash":
                await self._world.die(self._process)
            if not self._reassigning and (records := self._fetch()):
                await self._handle(records)

    def leave(self) -> None:
        self._group.leave(self)

    def rebalance(self) -> None:
        self._group.rebalance()

    def _readable(self) -> list[TopicPartition]:
        return sorted(self._assigned - self._paused)

    def _has_something_to_read(self) -> bool:
        return any(self._positions[partition] < self._broker.end(partition) for partition in self._readable())

    def _fetch(self) -> tuple[ConsumerRecord, ...]:
        """Some of what there is, of some partitions."""
        dice = self._world.dice
        fetched: list[ConsumerRecord] = []
        for partition in dice.sample(self._readable(), len(self._readable())):
            self._highwaters[partition] = self._broker.end(partition)
            most = dice.choice([0, 1, 2, 5, self._max_records])
            share = self._broker.read(
                partition, self._positions[partition], min(most, self._max_records - len(fetched))
            )
            self._positions[partition] += len(share)
            fetched += share
        return tuple(fetched)


class SimulatedBroker:
    """What the edges take for FastStream's broker: it makes one subscriber."""

    def __init__(self, world: World, broker: Broker, process: Process) -> None:
        self._world = world
        self._broker = broker
        self._process = process
        self.consumer: SimulatedConsumer | None = None

    def subscriber(
        self,
        *topics: str,
        group_id: str,
        max_records: int,
        listener: BatchDelivery,
        parser: Any,
        decoder: Any,
        **_: Any,
    ) -> Any:
        def subscribe(deliver: Callable[[Any], Awaitable[None]]) -> None:
            async def handle(records: tuple[ConsumerRecord, ...]) -> None:
                await deliver(await decoder(await parser(records)))

            self.consumer = SimulatedConsumer(
                self._world,
                self._broker,
                self._process,
                self._broker.group(group_id, *topics),
                topics=topics,
                max_records=max_records,
                listener=listener,
                handle=handle,
            )

        return _Subscriber(self, subscribe)


class _Subscriber:
    def __init__(self, broker: SimulatedBroker, subscribe: Callable[[Any], None]) -> None:
        self._broker = broker
        self._subscribe = subscribe

    async def get_msg(self, consumer: Any) -> Any:
        """What FastStream fetches with; the simulated consumer fetches by itself."""

    def __call__(self, deliver: Any) -> Any:
        self._subscribe(deliver)
        return deliver

    @property
    def consumer(self) -> SimulatedConsumer | None:
        return self._broker.consumer
