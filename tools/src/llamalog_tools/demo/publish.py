"""The sample day, played to the configured Kafka."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from llamalog_schemas.events import EntityCreated, EntityEvent, EntityType
from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.errors import translate_kafka_errors
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_tools.demo.day import tell_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.messages import SampleMessage
from llamalog_tools.demo.play import Played, play


@dataclass(frozen=True, slots=True)
class Sample:
    """How much of the sample day is played, and how disorderly; shares are between 0 and 1.

    Attributes:
        told: the albums whose creation was told so far, as the day goes on.
    """

    albums: int
    late: float
    duplicates: float
    bad: float
    seed: int
    told: list[UUID] = field(default_factory=list)

    def messages(self) -> Iterator[SampleMessage]:
        """The messages, the same ones every time; `told` grows as they are taken."""
        day = self._noting_albums(tell_day(self.albums, self.seed))
        return disordered(day, late=self.late, duplicates=self.duplicates, bad=self.bad, seed=self.seed)

    def _noting_albums(self, events: Iterable[EntityEvent]) -> Iterator[EntityEvent]:
        for event in events:
            data = event.data
            if (
                isinstance(event, EntityCreated)
                and data.entity_type is EntityType.ALBUM
                and data.entity_id is not None
            ):
                self.told.append(data.entity_id)
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
    topic = topics(settings.topic_prefix).entity_events.name
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
    """Send messages a few at a time, as they come in life, so that what is late is late for its consumer too.

    Args:
        at_once: messages between two pauses.
        pause: seconds.
        progress: called with the counts so far, before every pause.

    Raises:
        UnavailableError: Kafka stopped answering: those sent last may be there or not.
    """
    topic = topics(settings.topic_prefix).entity_events.name
    played = Played()
    async with open_producer(settings) as producer:
        while few := list(islice(messages, at_once)):
            with translate_kafka_errors(settings.kafka):
                played = played.and_then(await play(few, producer, topic))
            progress(played)
            await asyncio.sleep(pause)
    return played
