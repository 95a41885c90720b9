"""The load while things break: a disordered day of the sample, at a steady rate."""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from itertools import cycle, islice

from aiokafka import AIOKafkaProducer

from llamalog_tools.demo.damage import Damager
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.dice import seeded
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import Headers, SampleMessage, structured
from llamalog_tools.demo.publish import Played, play

_EVENTS_AN_ALBUM = 34
_TICK = 0.1
"""Seconds."""
_PATIENCE_MS = 120_000
"""How long a message may wait for a broker that is away: the load is to survive every fault."""
_METADATA_MS = 1000
"""After so long the producer looks again how many partitions the topic has."""


class Load:
    """Messages at a rate, from `begin` until all are acknowledged.

    Args:
        messages: how many in all, bad ones and duplicates among them.
        seconds: how long publishing them takes.
        seed: equal seeds give equal messages.

    Attributes:
        clocks: seconds by which the producers' clocks are ahead, by turns.
    """

    def __init__(self, kafka: str, topic: str, *, messages: int, seconds: float, seed: int) -> None:
        self._kafka = kafka
        self._topic = topic
        self._messages = messages
        self._seconds = seconds
        self._seed = seed
        self._a_tick = max(1, round(messages * _TICK / seconds))
        day = generate_day(2 * messages // _EVENTS_AN_ALBUM + 1, seed)
        disorder = disordered(day, late=0.05, duplicates=0.02, bad=0.005, seed=seed)
        self._coming = islice(disorder, messages)
        self._may_speak = asyncio.Event()
        self._may_speak.set()
        self.clocks: Sequence[float] = (0.0,)
        self.played = Played()

    @property
    def share(self) -> float:
        """How much of it was published, from 0 to 1."""
        return self.played.messages / self._messages

    def pause(self) -> None:
        """Say nothing more: what a fault prepares may take longer than the load."""
        self._may_speak.clear()

    def go_on(self) -> None:
        """Say the rest, at the same rate."""
        self._may_speak.set()

    def again(self) -> "Load":
        """The same messages, twice as fast."""
        return Load(
            self._kafka, self._topic, messages=self._messages, seconds=self._seconds / 2, seed=self._seed
        )

    async def publish_all(self) -> None:
        """Say everything; late when Kafka was away, then without pauses until the rate is made up."""
        producer = loading_producer(self._kafka)
        await producer.start()
        try:
            due = time.monotonic()
            turns = 0
            while chunk := list(islice(self._coming, self._a_tick)):
                if not self._may_speak.is_set():
                    await self._may_speak.wait()
                    due = time.monotonic()
                ahead = self.clocks[turns % len(self.clocks)]
                speaker = _Ahead(producer, ahead) if ahead else producer
                self.played = self.played.and_then(await play(chunk, speaker, self._topic))
                turns += 1
                due += _TICK
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            await producer.stop()


class _Ahead:
    """A producer whose clock is ahead."""

    def __init__(self, producer: AIOKafkaProducer, seconds: float) -> None:
        self._producer = producer
        self._seconds = seconds

    async def send(
        self, topic: str, value: bytes, key: bytes | None, *, headers: Headers
    ) -> Awaitable[object]:
        milliseconds = int((time.time() + self._seconds) * 1000)
        acknowledged: Awaitable[object] = await self._producer.send(
            topic, value, key, timestamp_ms=milliseconds, headers=headers
        )
        return acknowledged


def loading_producer(kafka: str, transactional_id: str | None = None, **options: object) -> AIOKafkaProducer:
    """A producer that survives every fault."""
    return AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=_PATIENCE_MS,
        metadata_max_age_ms=_METADATA_MS,
        transactional_id=transactional_id,
        **options,
    )


def some_events(count: int, seed: int) -> list[SampleMessage]:
    """Valid messages of another day than the load's."""
    day = generate_day(count // _EVENTS_AN_ALBUM + 1, seed + 1)
    return [structured(event) for event in islice(day, count)]


def bad_messages(count: int, seed: int) -> list[SampleMessage]:
    """Messages that are no event, damaged in every way by turns."""
    damager = Damager(seeded("poison", seed))
    valid: Iterator[SampleMessage] = cycle(some_events(50, seed))
    return [damager.damaged(message) for message in islice(valid, count)]
