"""Playing the sample: its messages go to the topic of entity events."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from llamalog_tools.demo.messages import Headers, Kind, SampleMessage

_IN_FLIGHT = 2000
"""Messages sent before their acknowledgements are awaited: what bounds the memory of a long play."""


class Played(NamedTuple):
    """How many messages Kafka acknowledged; the late are among the events."""

    events: int = 0
    duplicates: int = 0
    bad: int = 0
    late: int = 0

    @property
    def messages(self) -> int:
        """All of them."""
        return self.events + self.duplicates + self.bad

    def and_then(self, more: "Played") -> "Played":
        """Both together."""
        return Played(*(one + other for one, other in zip(self, more, strict=True)))


class Producer(Protocol):
    """What is needed of a started `aiokafka.AIOKafkaProducer`."""

    async def send(
        self, topic: str, value: bytes, key: bytes | None, *, headers: Headers
    ) -> Awaitable[object]:
        """Queue a message; what it returns is done when Kafka has acknowledged it."""


async def play(
    messages: Iterable[SampleMessage],
    producer: Producer,
    topic: str,
    *,
    progress: Callable[[Played], None] | None = None,
) -> Played:
    """Send the messages in their order, which is kept within every partition.

    Whether the producer is idempotent is for whoever builds it: the embedded broker has no such producers.

    Args:
        messages: taken as they are needed, a few thousand at a time.
        producer: started; it is left running.
        topic: of the entity events.
        progress: called with the counts so far, every few thousand messages.

    Raises:
        aiokafka.errors.KafkaError: a message was not acknowledged; those after it may or may not be there.
    """
    played = Played()
    coming = iter(messages)
    while chunk := list(islice(coming, _IN_FLIGHT)):
        acknowledgements = [
            await producer.send(topic, message.value, message.key, headers=message.headers)
            for message in chunk
        ]
        await asyncio.gather(*acknowledgements)
        played = _with_chunk(played, chunk)
        if progress is not None:
            progress(played)
    return played


def _with_chunk(played: Played, chunk: Sequence[SampleMessage]) -> Played:
    kinds = Counter(message.kind for message in chunk)
    return Played(
        events=played.events + kinds[Kind.EVENT],
        duplicates=played.duplicates + kinds[Kind.DUPLICATE],
        bad=played.bad + kinds[Kind.BAD],
        late=played.late + sum(message.late for message in chunk),
    )
