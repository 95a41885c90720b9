"""Topics, partitions and groups in memory, by Kafka's rules as far as the service can see them."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import NamedTuple, Protocol
from zlib import crc32

from aiokafka import ConsumerRecord, TopicPartition

from simulation.world import World

REBALANCE_SECONDS = 40.0
"""How long a group waits for a member that does not rejoin; then it goes on without it."""


class Sent(NamedTuple):
    """A message in a partition."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Member(Protocol):
    """A consumer as its group sees it."""

    def rejoin(self) -> None:
        """Called when the group is about to share its partitions anew."""


class Group:
    """A consumer group: members, and what they committed."""

    def __init__(self, world: World, dice: Random, partitions: Sequence[TopicPartition]) -> None:
        self.generation = 0
        self.committed: dict[TopicPartition, int] = {}
        self.members: list[Member] = []
        self._world = world
        self._dice = dice
        self._partitions = partitions
        self._joining: dict[Member, asyncio.Future[list[TopicPartition]]] = {}
        self._deadline: asyncio.TimerHandle | None = None

    def rebalance(self) -> None:
        """Have every member rejoin."""
        if self._deadline is None:
            self._deadline = self._world.loop.call_later(REBALANCE_SECONDS, self._share)
        for member in list(self.members):
            if member not in self._joining:
                member.rejoin()

    async def join(self, member: Member) -> list[TopicPartition]:
        """Wait until all have joined; the partitions that the member gets."""
        if member not in self.members:
            self.members.append(member)
        share: asyncio.Future[list[TopicPartition]] = self._world.loop.create_future()
        self._joining[member] = share
        self.rebalance()
        self._share_if_complete()
        return await share

    def leave(self, member: Member) -> None:
        """Go, or be expelled."""
        if member in self.members:
            self.members.remove(member)
            self._joining.pop(member, None)
            self.rebalance()
            self._share_if_complete()

    def _share_if_complete(self) -> None:
        if all(member in self._joining for member in self.members):
            self._share()

    def _share(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.generation += 1
        late = [member for member in self.members if member not in self._joining]
        self.members = [member for member in self.members if member in self._joining]
        joined, self._joining = self._joining, {}
        shares: dict[Member, list[TopicPartition]] = {member: [] for member in self.members}
        order = self._dice.sample(self.members, len(self.members))
        for number, partition in enumerate(self._partitions if order else []):
            shares[order[number % len(order)]].append(partition)
        for member, future in joined.items():
            if not future.done():
                future.set_result(shares[member])
        for member in late:
            member.rejoin()  # its next heartbeat shows it


class Broker:
    """Every topic and every group."""

    def __init__(self, world: World, partitions: dict[str, int]) -> None:
        self.partitions = {
            topic: [TopicPartition(topic, number) for number in range(count)]
            for topic, count in partitions.items()
        }
        self._log: dict[TopicPartition, list[ConsumerRecord]] = {
            partition: [] for all_of_topic in self.partitions.values() for partition in all_of_topic
        }
        self._world = world
        self._groups: dict[str, Group] = {}
        self._arrived: list[asyncio.Future[None]] = []

    def group(self, name: str, *topics: str) -> Group:
        """The group of this name, which reads these topics; named without topics, it has to exist."""
        if name not in self._groups:
            partitions = [partition for topic in topics for partition in self.partitions[topic]]
            self._groups[name] = Group(self._world, self._world.dice, partitions)
        return self._groups[name]

    def append(self, partition: TopicPartition, sent: Sent, timestamp: int | None = None) -> None:
        log = self._log[partition]
        now = int(self._world.loop.now * 1000) if timestamp is None else timestamp
        log.append(
            ConsumerRecord(
                partition.topic,
                partition.partition,
                len(log),
                now,
                0,
                sent.key,
                sent.value,
                None,
                0,
                0,
                sent.headers,
            )
        )
        self.notify()

    def publish(self, topic: str, sent: Sent) -> None:
        """Append to the partition of the key."""
        partitions = self.partitions[topic]
        self.append(partitions[crc32(sent.key or b"") % len(partitions)], sent)

    def read(self, partition: TopicPartition, offset: int, most: int) -> list[ConsumerRecord]:
        return self._log[partition][offset : offset + most]

    def end(self, partition: TopicPartition) -> int:
        return len(self._log[partition])

    def records(self, topic: str) -> list[ConsumerRecord]:
        """Everything in a topic, partition by partition."""
        return [record for partition in self.partitions[topic] for record in self._log[partition]]

    def lag(self, group: str, topic: str) -> int:
        committed = self.group(group).committed
        return sum(self.end(partition) - committed.get(partition, 0) for partition in self.partitions[topic])

    def notify(self) -> None:
        """Wake those who wait for something to read."""
        waiting, self._arrived = self._arrived, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def something_new(self) -> None:
        future = self._world.loop.create_future()
        self._arrived.append(future)
        await future
