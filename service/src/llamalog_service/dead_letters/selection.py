"""Which dead letters are meant."""

from dataclasses import dataclass, field
from datetime import datetime

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.dead_letters import Coordinates, StoredDeadLetter


class DeadLetterNotFoundError(LlamalogError):
    """No dead letter bears the coordinates asked for."""

    def __init__(self, where: Coordinates) -> None:
        super().__init__(
            f"No dead letter of {where} is kept. `llamalog dead-letters list` shows those that are; Kafka "
            "removes them after some weeks. The message itself may still stand in its topic."
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """Letters by what they say of themselves; what is empty or None leaves all of them in.

    Attributes:
        reasons: codes, of which a letter bears one.
        topics: full names, of which a letter came from one.
        since, until: when it became a dead letter; `until` itself is out.
        where: where its message was read.
    """

    reasons: frozenset[str] = field(default_factory=frozenset)
    topics: frozenset[str] = field(default_factory=frozenset)
    since: datetime | None = None
    until: datetime | None = None
    where: Coordinates | None = None

    def takes(self, letter: StoredDeadLetter) -> bool:
        """Whether a letter is meant."""
        topic = letter.came_from.topic if letter.came_from is not None else None
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or topic in self.topics)
            and (self.since is None or letter.kept_at >= self.since)
            and (self.until is None or letter.kept_at < self.until)
            and (self.where is None or letter.came_from == self.where)
        )
