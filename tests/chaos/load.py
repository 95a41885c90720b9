"""What is said while things break: a disordered day of the sample, at a steady rate."""

import asyncio
import time
from itertools import islice

from aiokafka import AIOKafkaProducer

from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.publish import Played, play

_EVENTS_AN_ALBUM = 34
_TICK = 0.1
"""Seconds."""
_PATIENCE_MS = 120_000
"""How long a message may wait for a broker that is away: the load is to survive what it is said during."""


class Load:
    """Messages at a rate, from `begin` until all are acknowledged.

    Args:
        messages: how many in all, bad ones and duplicates among them.
        seconds: how long saying them takes.
        seed: equal seeds say equal messages.
    """

    def __init__(self, kafka: str, topic: str, *, messages: int, seconds: float, seed: int) -> None:
        self._kafka = kafka
        self._topic = topic
        self._messages = messages
        self._a_tick = max(1, round(messages * _TICK / seconds))
        day = generate_day(2 * messages // _EVENTS_AN_ALBUM + 1, seed)
        disorder = disordered(day, late=0.05, duplicates=0.02, bad=0.005, seed=seed)
        self._coming = islice(disorder, messages)
        self.played = Played()

    @property
    def share(self) -> float:
        """How much of it was said, from 0 to 1."""
        return self.played.messages / self._messages

    async def say_all(self) -> None:
        """Say everything; late when Kafka was away, then without pauses until the rate is made up."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=_PATIENCE_MS,
            transactional_id=None,
        )
        await producer.start()
        try:
            due = time.monotonic()
            while chunk := list(islice(self._coming, self._a_tick)):
                self.played = self.played.and_then(await play(chunk, producer, self._topic))
                due += _TICK
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            await producer.stop()
