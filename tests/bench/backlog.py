"""What waits in the topic when the consumer starts, a disordered day of the sample; what it must become."""

from collections import Counter
from typing import NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaProducer

from bench.installation import Installation
from llamalog_service.domain.fold import FoldedRow, fold
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import Kind, SampleMessage
from llamalog_tools.demo.publish import Played, play

LATE_PARENTS = 0.05
"""The share of parents' events that come late; about 2 % of all events are late by it."""
DUPLICATES = 0.01
BAD = 0.001
_SEED = 1

Content = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""Key, value and headers of a message."""


class Backlog(NamedTuple):
    """The messages, and the rows that they must become, in the order in which they were generated."""

    messages: list[SampleMessage]
    rows: dict[UUID, FoldedRow]

    def bad(self) -> Counter[Content]:
        """The messages that must become dead letters."""
        return Counter(
            (message.key, message.value, tuple(message.headers))
            for message in self.messages
            if message.kind is Kind.BAD
        )


def make_backlog(albums: int) -> Backlog:
    """The backlog of a day on which so many albums are added; about 34 events an album."""
    events = list(generate_day(albums, seed=_SEED))
    messages = disordered(events, late=LATE_PARENTS, duplicates=DUPLICATES, bad=BAD, seed=_SEED)
    return Backlog(list(messages), fold(events))


async def fill(backlog: Backlog, installation: Installation) -> Played:
    """Send the backlog to an installation's topic of entity events."""
    producer = AIOKafkaProducer(
        bootstrap_servers=installation.bootstrap, acks="all", enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        return await play(backlog.messages, producer, installation.topics.entity_events.name)
    finally:
        await producer.stop()
