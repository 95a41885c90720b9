"""The ports of a rebuild: the events that it reads, and its progress that it reports."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import NamedTuple, Protocol

from llamalog_service.kafka.reader import Portion, Span


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


class RebuildProgress(NamedTuple):
    """The phase of a rebuild, and how many of how many messages or rows are done, where that is known."""

    phase: str
    done: int = 0
    total: int | None = None


OnProgress = Callable[[RebuildProgress], None]
