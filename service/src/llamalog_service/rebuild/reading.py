"""Reading of the topic or its archive, decoded, into the shadow."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple, Protocol

from llamalog_service.ingest.batch import decode_batch
from llamalog_service.kafka.reader import Portion, Span, is_compacted, read_range, read_spans
from llamalog_service.kafka.topics import topics
from llamalog_service.rebuild.errors import CompactedTopicError
from llamalog_service.rebuild.shadow import MessagePosition, ShadowBatch
from llamalog_service.settings import Settings


class History(Protocol):
    """A source of events: the topic, an archive, or an archive and then the topic."""

    async def spans(self) -> dict[int, Span]:
        """The offsets that it holds, by partition.

        Raises:
            LlamalogError: there is no such topic, or Kafka is away.
        """

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, by partition.

        Raises:
            LlamalogError: some of them are gone.
            UnavailableError: Kafka is away.
        """


class TopicHistory:
    """The topic of entity events as a history."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = topics(settings.topic_prefix).entity_events.name

    async def spans(self) -> dict[int, Span]:
        """The offsets of each partition.

        Raises:
            TopicAbsentError: there is no such topic.
            CompactedTopicError: events may be gone.
            UnavailableError: Kafka does not answer.
        """
        spans = await read_spans(self._settings, self._topic)
        if self._settings.kafka_durable and await is_compacted(self._settings, self._topic):
            raise CompactedTopicError(self._topic)
        return spans

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, by partition.

        Raises:
            MessagesGoneError: the topic has lost some of them since `spans`.
            UnavailableError: Kafka does not answer.
        """
        spans = {partition: Span(starts.get(partition, 0), end) for partition, end in ends.items()}
        async with aclosing(read_range(self._settings, self._topic, spans, skips=False)) as portions:
            async for portion in portions:
                yield portion


class RebuildProgress(NamedTuple):
    """The phase of a rebuild, and how many of how many messages or rows are done, where that is known."""

    phase: str
    done: int = 0
    total: int | None = None


OnProgress = Callable[[RebuildProgress], None]


async def read_into(
    write: Callable[[ShadowBatch], Awaitable[None]],
    history: History,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    on_progress: OnProgress,
) -> None:
    """Write the messages from `starts` up to before `ends` by `write`, batch by batch, in order.

    A batch is written while the next one is decoded.

    Raises:
        UnavailableError: Kafka or PostgreSQL is away; the batches before are written.
    """
    total = sum(ends.values())
    done = total - sum(max(0, end - starts.get(partition, 0)) for partition, end in ends.items())
    at = dict(starts)
    on_progress(RebuildProgress("reading", done, total))
    writing: asyncio.Task[None] | None = None
    try:
        async with aclosing(history.read(starts, ends)) as portions:
            async for portion in portions:
                batch = _decode(portion)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(_await(write(batch)))
                for partition, next_offset in portion.reached.items():
                    done += next_offset - at.get(partition, 0)
                    at[partition] = next_offset
                on_progress(RebuildProgress("reading", done, total))
        if writing is not None:
            await writing
    finally:
        if writing is not None and not writing.done():
            writing.cancel()
            await asyncio.wait([writing])


async def _await(work: Awaitable[None]) -> None:
    await work


def _decode(portion: Portion) -> ShadowBatch:
    """Decode as the ingest does; invalid messages are counted and left out."""
    decoded = decode_batch(portion.records)
    return ShadowBatch(
        rows=decoded.rows,
        positions=[MessagePosition(record.partition, record.offset) for record in decoded.records],
        overrides=decoded.overrides,
        override_positions=[
            MessagePosition(record.partition, record.offset) for record in decoded.override_records
        ],
        next_offsets=portion.reached,
        messages=Counter([record.partition for record in portion.records]),
        dead_letters=Counter([rejected.record.partition for rejected in decoded.rejected]),
        tombstones=Counter([record.partition for record in portion.records if record.value is None]),
    )
