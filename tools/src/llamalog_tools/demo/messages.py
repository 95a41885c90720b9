"""A message of the sample, as it is published to Kafka."""

from enum import StrEnum
from typing import NamedTuple

from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.events import EntityEvent, lineage_key

Headers = list[tuple[str, bytes]]


class Kind(StrEnum):
    """The kinds of sample messages."""

    EVENT = "event"
    DUPLICATE = "duplicate"
    BAD = "bad"


class SampleMessage(NamedTuple):
    """One message; `late` marks it as the event of a job of which a child's event went before it."""

    key: bytes | None
    value: bytes
    headers: Headers
    kind: Kind
    late: bool = False


_STRUCTURED: Headers = [(name, content) for name, content in STRUCTURED_HEADERS if content is not None]


def structured(event: EntityEvent, *, late: bool = False) -> SampleMessage:
    """The message that an event is, in structured mode under its lineage key."""
    return SampleMessage(lineage_key(event), encode(event), _STRUCTURED, Kind.EVENT, late)
