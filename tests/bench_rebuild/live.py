"""A rebuild beside live traffic: whether the consumers keep up, and how soon sent messages are visible.

The ends of the topic's partitions and the positions recorded with the rows are sampled many times a second: a
message is visible once the position has passed it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.installation import Installation
from bench.servers import Servers
from bench_queries.run import Notify, consumers, ingest_rate
from bench_rebuild.load import steady_load
from bench_rebuild.rebuild import Rebuilt, rebuild

_MAX_SLOWDOWN = 4
"""How many times as long a rebuild takes beside live traffic, at most."""

_WARM_UP = 3.0
_MESSAGES_AN_ALBUM = 34
_LARGEST_BACKLOG = 1000
"""Albums by which the ingest is measured."""

_SAMPLE_INTERVAL = 0.02
_POSITIONS = "SELECT partition, next_offset FROM consumer_positions WHERE consumer_group = $1 AND topic = $2"


class TrafficSample(NamedTuple):
    """Live traffic during some seconds.

    Attributes:
        sent, recorded: messages a second.
        delays: seconds until the rows up to a partition's end were visible, of every sample.
    """

    sent: float
    recorded: float
    delays: list[float]


class Baseline(NamedTuple):
    """Figures without live traffic, which the live traffic is sized by.

    Attributes:
        messages: in the topic.
        seconds: of a rebuild beside the full table.
        quiet_seconds: how long to sample live traffic without a rebuild.
        rate: of live traffic, messages a second; None: half of what the consumers can do.
    """

    messages: int
    seconds: float
    quiet_seconds: float
    rate: float | None


class Live(NamedTuple):
    """A rebuild beside live traffic.

    Attributes:
        rate: messages a second that come in.
        quiet: live traffic without a rebuild.
        meanwhile: the same during the rebuild.
    """

    rate: float
    quiet: TrafficSample
    meanwhile: TrafficSample
    rebuilt: Rebuilt


async def rebuild_under_load(
    installation: Installation, servers: Servers, baseline: Baseline, *, folder: Path, notify: Notify
) -> Live:
    """Rebuild beside a full table and live traffic.

    Raises:
        DrainError: a consumer ended, or did not come to an end.
        RebuildBenchError: the rebuild failed.
    """
    rate = baseline.rate
    if rate is None:
        albums = min(_LARGEST_BACKLOG, max(1, baseline.messages // _MESSAGES_AN_ALBUM))
        rate = await ingest_rate(servers, installation, albums, folder, notify) / 2
    seconds = _WARM_UP + baseline.quiet_seconds + _MAX_SLOWDOWN * baseline.seconds
    notify(f"Rebuilding while {rate:,.0f} messages a second come in, for {seconds:,.0f} s at most.")
    async with consumers(installation, folder):
        with steady_load(installation, rate, seconds):
            await asyncio.sleep(_WARM_UP)
            quiet = await _watch(installation, asyncio.create_task(asyncio.sleep(baseline.quiet_seconds)))
            rebuilding = asyncio.create_task(rebuild(installation, servers, folder))
            try:
                meanwhile = await _watch(installation, rebuilding)
                return Live(rate, quiet, meanwhile, await rebuilding)
            finally:
                rebuilding.cancel()


async def _watch(installation: Installation, doing: asyncio.Task[Any]) -> TrafficSample:
    """Sample live traffic until a task is done."""
    topic = installation.topics.entity_events
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    client = AIOKafkaConsumer(bootstrap_servers=installation.bootstrap, enable_auto_commit=False)
    database = await asyncpg.connect(installation.database_url)
    await client.start()
    try:
        sampler = _Sampler()
        while not doing.done():
            ends = await client.end_offsets(partitions)
            sampler.sent({at.partition: end for at, end in ends.items()})
            records = await database.fetch(_POSITIONS, installation.consumer_group, topic.name)
            sampler.visible({record["partition"]: record["next_offset"] for record in records})
            await asyncio.sleep(_SAMPLE_INTERVAL)
        return sampler.result()
    finally:
        await client.stop()
        await database.close()


class _Sampler:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._waiting: dict[int, deque[tuple[int, float]]] = {}
        self._first: tuple[int, int] | None = None
        self._ends: Mapping[int, int] = {}
        self._positions: Mapping[int, int] = {}
        self._delays: list[float] = []

    def sent(self, ends: Mapping[int, int]) -> None:
        now = time.monotonic()
        for partition, end in ends.items():
            if end > self._ends.get(partition, end - 1):
                self._waiting.setdefault(partition, deque()).append((end, now))
        self._ends = ends

    def visible(self, positions: Mapping[int, int]) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = sum(self._ends.values()), sum(positions.values())
        for partition, waiting in self._waiting.items():
            while waiting and waiting[0][0] <= positions.get(partition, 0):
                self._delays.append(now - waiting.popleft()[1])
        self._positions = positions

    def result(self) -> TrafficSample:
        """The sample; messages not visible at the end count with the time that they had waited."""
        now = time.monotonic()
        seconds = now - self._began
        ends, positions = self._first or (0, 0)
        left = [now - since for waiting in self._waiting.values() for _, since in waiting]
        return TrafficSample(
            (sum(self._ends.values()) - ends) / seconds,
            (sum(self._positions.values()) - positions) / seconds,
            self._delays + left,
        )
