"""Read dead letters back from their topic."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter, parse_dead_letter
from llamalog_service.kafka.reader import Span, read_range, read_spans
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

Spans = Mapping[int, Span]
"""By partition of the topic of dead letters."""


async def find_spans(settings: Settings, after: DeadLetterPosition | None = None) -> Spans:
    """The spans of all dead letters that exist at this moment.

    Args:
        after: leave out the dead letters up to this position.

    Raises:
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: Kafka does not answer.
    """
    spans = await read_spans(settings, topics(settings.topic_prefix).dead_letters.name)
    if after is None:
        return spans
    return {
        partition: span._replace(first=max(span.first, after.offset + 1))
        if partition == after.partition
        else span
        for partition, span in spans.items()
        if partition >= after.partition
    }


async def fetch_dead_letters(
    settings: Settings, spans: Spans
) -> AsyncGenerator[list[StoredDeadLetter], None]:
    """The dead letters of some spans, one partition after the other, a fetch at a time.

    Dead letters that retention removes meanwhile are left out.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    topic = topics(settings.topic_prefix).dead_letters.name
    for partition, span in sorted(spans.items()):
        async with aclosing(read_range(settings, topic, {partition: span})) as portions:
            async for portion in portions:
                if portion.records:
                    yield [parse_dead_letter(record) for record in portion.records]
