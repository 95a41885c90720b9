"""The ports of a rebuild: the events that it reads, the offsets that it commits, its progress."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol

from llamalog_service.kafka.reader import Portion, Span

SCHEMA: Final = "llamalog_rebuild"
"""The schema that holds the shadow during a rebuild, and after an interrupted one."""


class MessagePosition(NamedTuple):
    """A message's place in the topic."""

    partition: int
    offset: int


class History(Protocol):
    """A source of events: a topic, an archive, or an archive and then the topic."""

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


CommitOffsets = Callable[[Mapping[tuple[str, int], int]], Awaitable[bool]]
"""Commits offsets, by topic and partition, for the consumer that continues; False: it is active and commits
itself."""


class RebuildProgress(NamedTuple):
    """The phase of a rebuild, and how many of how many messages or rows are done, where that is known."""

    phase: str
    done: int = 0
    total: int | None = None


OnProgress = Callable[[RebuildProgress], None]
