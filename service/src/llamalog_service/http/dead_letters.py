"""Dead letters as they are told: counted by reason, or shown a page at a time."""

from datetime import datetime

from msgspec import Struct


class DeadLetterCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """The dead letters by reason.

    Attributes:
        by_reason: of those looked at, which are the newest.
        looked_at: how many that were.
        kept: how many there are in all, as far as the broker can tell.
        counted_at: when; the count is up to half a minute old.
    """

    by_reason: dict[str, int]
    looked_at: int
    kept: int
    counted_at: datetime


class DeadLetterSource(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a message was read that became a dead letter."""

    topic: str
    partition: int
    offset: int


class DeadLetterHeader(Struct, frozen=True, kw_only=True, rename="camel"):
    """A header of the message as it came."""

    name: str
    value: str | None


class Letter(Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that was refused.

    Attributes:
        partition, offset: where it lies among the dead letters.
        came_from: null if somebody else put it there.
        reason: the code; `sentence` says it for people.
        truncated: what was kept of a message too large to be kept whole.
        key, value: as text, what is no UTF-8 replaced; of a long value the beginning.
        value_bytes: the length of the whole value; null for a tombstone.
    """

    partition: int
    offset: int
    kept_at: datetime
    came_from: DeadLetterSource | None
    reason: str
    sentence: str
    truncated: str | None
    key: str | None
    value: str | None
    value_bytes: int | None
    headers: tuple[DeadLetterHeader, ...]


class DeadLetterFilter(Struct, frozen=True, kw_only=True):
    """Which letters are asked for; what is None leaves all of them in.

    Attributes:
        topic: the full name of the topic that it came from.
        since, until: when it became a dead letter; `until` itself is out.
    """

    reason: str | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
