"""Selections of dead letters, to list, show, export or replay."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.dead_letters import (
    Coordinates,
    DeadLetterPosition,
    DeadLetterReader,
    StoredDeadLetter,
)
from llamalog_service.retry import retry_until_available


class DeadLetterNotFoundError(LlamalogError):
    """No dead letter has the requested coordinates."""

    def __init__(self, where: Coordinates | DeadLetterPosition) -> None:
        super().__init__(
            f"No dead letter of {where} is kept. `llamalog dead-letters list` shows those that are; Kafka "
            "removes them after some weeks. The message itself may still be in its topic."
        )


@dataclass(frozen=True, slots=True)
class DeadLetterSelection:
    """A filter of dead letters; a field that is empty or None selects all.

    Attributes:
        reasons: codes, of which a dead letter bears one.
        topics: full names of the topics that they came from.
        producers: sources that their messages name.
        since, until: when it became a dead letter; `until` itself is excluded.
        where: where its message was read.
    """

    reasons: frozenset[str] = field(default_factory=frozenset)
    topics: frozenset[str] = field(default_factory=frozenset)
    producers: frozenset[str] = field(default_factory=frozenset)
    since: datetime | None = None
    until: datetime | None = None
    where: Coordinates | None = None

    def matches(self, dead_letter: StoredDeadLetter) -> bool:
        """Whether a dead letter is selected."""
        topic = dead_letter.came_from.topic if dead_letter.came_from is not None else None
        return (
            (not self.reasons or dead_letter.reason in self.reasons)
            and (not self.topics or topic in self.topics)
            and (not self.producers or dead_letter.producer in self.producers)
            and (self.since is None or dead_letter.kept_at >= self.since)
            and (self.until is None or dead_letter.kept_at < self.until)
            and (self.where is None or dead_letter.came_from == self.where)
        )


async def select_dead_letters(
    reader: DeadLetterReader, selection: DeadLetterSelection, *, timeout: float
) -> AsyncGenerator[list[StoredDeadLetter], None]:
    """The selected ones of all dead letters that exist at this moment, in batches.

    Raises:
        DeadLetterNotFoundError: none has the coordinates of the selection.
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: Kafka did not answer within `timeout` seconds.
    """
    spans = await retry_until_available(reader.spans, doing="finding dead letters", timeout=timeout)
    found = False
    async with aclosing(reader.read(spans)) as fetched:
        async for batch in fetched:
            selected = [dead_letter for dead_letter in batch if selection.matches(dead_letter)]
            found = found or bool(selected)
            yield selected
    if selection.where is not None and not found:
        raise DeadLetterNotFoundError(selection.where)
