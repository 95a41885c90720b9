"""Bad messages of the sample that the topic holds already: a second play of the sample leaves them out.

A valid event that comes again is a duplicate; a bad message that comes again is another dead letter.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace

from llamalog_service.kafka.reader import read_range, read_spans
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings
from llamalog_tools.demo.messages import Kind, SampleMessage
from llamalog_tools.demo.publish import Sample

Identity = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]
"""Key, value and headers."""


async def bad_messages_sent(settings: Settings, sample: Sample) -> Counter[Identity]:
    """The bad messages of a sample that are in the topic of entity events; reads all of the topic.

    Raises:
        TopicAbsentError: there is no such topic.
        UnavailableError: Kafka does not answer.
    """
    topic = topics_of(settings).entity_events.name
    spans = await read_spans(settings, topic)
    if not any(span.first < span.end for span in spans.values()):
        return Counter()
    messages = replace(sample, created_albums=[]).messages()
    bad = Counter(_identity(message) for message in messages if message.kind is Kind.BAD)
    found = Counter[Identity]()
    async with aclosing(read_range(settings, topic, spans)) as portions:
        async for portion in portions:
            found.update(
                identity
                for record in portion.records
                if (identity := (record.key, record.value, tuple(record.headers))) in bad
            )
    return bad & found


def unsent(messages: Iterable[SampleMessage], sent: Counter[Identity]) -> Iterator[SampleMessage]:
    """The messages without those bad ones that were sent, each as often as it was."""
    left = Counter(sent)
    for message in messages:
        identity = _identity(message)
        if message.kind is Kind.BAD and left[identity] > 0:
            left[identity] -= 1
        else:
            yield message


def _identity(message: SampleMessage) -> Identity:
    return message.key, message.value, tuple(message.headers)
