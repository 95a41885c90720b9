"""The sample day as Kafka messages, published to the topic of entity events."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol
from uuid import UUID

from llamalog_schemas.events import EntityCreated, EntityEvent, EntityType
from llamalog_service.kafka.clients import open_producer, translate_kafka_errors
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import Headers, Kind, SampleMessage

_IN_FLIGHT = 2000
"""Messages sent before their acknowledgements are awaited: what bounds the memory of a long play."""


class Played(NamedTuple):
    """Counts of messages that Kafka acknowledged; the late are among the events."""

    events: int = 0
    duplicates: int = 0
    bad: int = 0
    late: int = 0

    @classmethod
    def of(cls, messages: Sequence[SampleMessage]) -> "Played":
        """The counts of these messages."""
        kinds = Counter(message.kind for message in messages)
        late = sum(message.late for message in messages)
        return cls(kinds[Kind.EVENT], kinds[Kind.DUPLICATE], kinds[Kind.BAD], late)

    @property
    def messages(self) -> int:
        """All of them."""
        return self.events + self.duplicates + self.bad

    def and_then(self, more: "Played") -> "Played":
        """Both together."""
        return Played(*(one + other for one, other in zip(self, more, strict=True)))


class Producer(Protocol):
    """The used part of a started `aiokafka.AIOKafkaProducer`."""

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

    The embedded broker has no idempotent producers, so the caller decides whether the producer is one.

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
        played = played.and_then(Played.of(chunk))
        if progress is not None:
            progress(played)
    return played


@dataclass(frozen=True, slots=True)
class Sample:
    """The size and the disorder of a sample day; shares are between 0 and 1.

    Attributes:
        created_albums: grows as the iterator of `messages` advances.
    """

    albums: int
    late: float
    duplicates: float
    bad: float
    seed: int
    created_albums: list[UUID] = field(default_factory=list)

    def messages(self) -> Iterator[SampleMessage]:
        """The messages, the same ones every time; `created_albums` grows as they are taken."""
        day = self._with_created_albums(generate_day(self.albums, self.seed))
        return disordered(day, late=self.late, duplicates=self.duplicates, bad=self.bad, seed=self.seed)

    def _with_created_albums(self, events: Iterable[EntityEvent]) -> Iterator[EntityEvent]:
        for event in events:
            data = event.data
            if (
                isinstance(event, EntityCreated)
                and data.entity_type is EntityType.ALBUM
                and data.entity_id is not None
            ):
                self.created_albums.append(data.entity_id)
            yield event


async def play_sample(
    settings: Settings,
    messages: Iterable[SampleMessage],
    *,
    progress: Callable[[Played], None] | None = None,
    timeout: float | None = None,
) -> Played:
    """Send messages to the topic of entity events, as fast as they are acknowledged.

    Args:
        progress: called with the counts so far, every few thousand messages.
        timeout: seconds to wait for Kafka; None waits for ever.

    Raises:
        UnavailableError: Kafka did not answer in time, or stopped answering: those sent may be there or not.
    """
    topic = topics_of(settings).entity_events.name
    async with open_producer(settings, timeout=timeout) as producer:
        with translate_kafka_errors(settings.kafka):
            return await play(messages, producer, topic, progress=progress)


async def play_slowly(
    settings: Settings,
    messages: Iterator[SampleMessage],
    *,
    at_once: int,
    pause: float,
    progress: Callable[[Played], None],
) -> Played:
    """Send messages a few at a time, so that a late event is late for its consumer too.

    Args:
        at_once: messages between two pauses.
        pause: seconds.
        progress: called with the counts so far, before every pause.

    Raises:
        UnavailableError: Kafka stopped answering: those sent last may be there or not.
    """
    topic = topics_of(settings).entity_events.name
    played = Played()
    async with open_producer(settings) as producer:
        while few := list(islice(messages, at_once)):
            with translate_kafka_errors(settings.kafka):
                played = played.and_then(await play(few, producer, topic))
            progress(played)
            await asyncio.sleep(pause)
    return played
