"""Read the topic into the shadow: a portion is written while the next one is decoded."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple, Protocol

from llamalog_service.kafka.topic_history import Portion, Span
from llamalog_service.rebuild.decoding import told_by
from llamalog_service.rebuild.shadow import Told


class History(Protocol):
    """Where the events come from: the topic, or an archive and then the topic."""

    async def spans(self) -> dict[int, Span]:
        """What there is of each partition.

        Raises:
            LlamalogError: there is no such topic, or Kafka is away.
        """

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, by partition.

        Raises:
            LlamalogError: some of them are gone.
            UnavailableError: Kafka is away.
        """


class Progress(NamedTuple):
    """What a rebuild does, and how many of how many messages are done, if that can be said."""

    doing: str
    done: int = 0
    total: int | None = None


Watch = Callable[[Progress], None]


async def read_into(
    record: Callable[[Told], Awaitable[None]],
    history: History,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    watch: Watch,
) -> None:
    """Write what lies between `starts` and `ends` by `record`, portion by portion, in order.

    Raises:
        UnavailableError: Kafka or PostgreSQL is away; what was recorded is.
    """
    total = sum(ends.values())
    done = total - sum(max(0, end - starts.get(partition, 0)) for partition, end in ends.items())
    at = dict(starts)
    watch(Progress("reading", done, total))
    writing: asyncio.Task[None] | None = None
    try:
        async with aclosing(history.read(starts, ends)) as portions:
            async for portion in portions:
                told = told_by(portion)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(_await(record(told)))
                for partition, reached in portion.reached.items():
                    done += reached - at.get(partition, 0)
                    at[partition] = reached
                watch(Progress("reading", done, total))
        if writing is not None:
            await writing
    finally:
        if writing is not None and not writing.done():
            writing.cancel()
            await asyncio.wait([writing])


async def _await(work: Awaitable[None]) -> None:
    await work
