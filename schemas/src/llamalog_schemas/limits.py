"""The limits of the contract, which hold before any database sees a value.

Every limit depends on the message's bytes alone, so that two readers of one topic
always agree on which of its messages are valid.
"""

import re
from datetime import UTC, datetime
from itertools import accumulate
from typing import Annotated, Any, Final

from msgspec import Meta

MAX_VALUE_BYTES: Final = 256 * 1024
"""A longer message value is invalid, unless it carries a legacy row."""

MAX_LEGACY_ROW_BYTES: Final = 960 * 1024
"""The limit of a message that carries a legacy row: the size that a topic accepts, less its framing."""

MAX_NESTING: Final = 64
"""Levels of objects and arrays in ``metadata`` and ``previewData``, the outermost counted."""

MAX_MESSAGE_NESTING: Final = 400
"""Levels of objects and arrays in a whole message, its outermost object counted.

It bounds values that are never checked otherwise (``subject``, attributes that are not ours), and stays clear
of the depth at which a recursive decoder would give up.
"""

UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""A UUID with dashes."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
"""Integers inside ``metadata`` and ``previewData`` fit 64 bits with a sign."""

EARLIEST_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_TIME: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""``time`` lies in [EARLIEST_TIME, LATEST_TIME)."""

MAX_JOB_LENGTH: Final = 100
"""Characters of a job's name."""

MAX_COUNT: Final = 2**31 - 1
"""Counts fit 32 bits with a sign."""

JobId = Annotated[
    str, Meta(min_length=1, max_length=MAX_JOB_LENGTH, description="Names a job; equal text, equal job.")
]
ParentJobId = Annotated[JobId, Meta(description="The job that started this one.")]
RootJobId = Annotated[
    JobId,
    Meta(description="The topmost job as the producer believes: checked, never trusted over the chain."),
]
Operation = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="What was done, in the producer's words.",
        examples=["track:created:enrichment"],
    ),
]
ErrorCode = Annotated[str, Meta(min_length=1, max_length=50)]
TriggeredBy = Annotated[str, Meta(min_length=1, max_length=50, description="What set the job off.")]
UserId = Annotated[str, Meta(min_length=1, max_length=255)]
UserDigest = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of `llamalog-user:` and the `userId` in UTF-8, in hexadecimal digits.",
    ),
]
MAX_METADATA_KEYS: Final = 100
MAX_METADATA_KEY_LENGTH: Final = 200
"""Of the metadata keys that an erasure removes: how many, and characters of each."""

MetadataKey = Annotated[str, Meta(min_length=1, max_length=MAX_METADATA_KEY_LENGTH)]
MetadataKeys = Annotated[
    tuple[MetadataKey, ...],
    Meta(
        max_length=MAX_METADATA_KEYS,
        description="Keys of `metadata` that are removed from every row of which a person is erased.",
    ),
]
SourceName = Annotated[str, Meta(min_length=1, max_length=100, examples=["MUSICBRAINZ"])]
SourceNames = Annotated[tuple[SourceName, ...], Meta(max_length=50, description="Where the data came from.")]
FieldName = Annotated[str, Meta(min_length=1, max_length=200)]
FieldNames = Annotated[
    tuple[FieldName, ...], Meta(max_length=500, description="The fields that were filled.")
]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
EventId = Annotated[str, Meta(min_length=1, max_length=1000, description="Unique within `source`.")]
EventSource = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1000,
        description="The producer, as a URI reference.",
        examples=["/catalogue/enrichment"],
    ),
]
TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""A well-formed `traceparent`: version, trace, span and flags, as W3C Trace Context has them."""

Traceparent = Annotated[
    Any,
    Meta(
        description="The span in which the event was published, as W3C Trace Context writes it: 55 "
        "characters. Any other value is dropped; the event stays valid.",
        examples=["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ),
]
ErasedMark = Annotated[
    Any,
    Meta(
        description="`true` in an event that was rewritten without the person whose `userId` it bore. With a "
        "`userId`, and with any other value, it has no effect.",
    ),
]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with a zone.")]
JsonObject = dict[str, Any]

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
"""A JSON string; one that is never closed reaches to the end, which keeps the search linear."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def nested_deeper_than(value: bytes, levels: int) -> bool:
    """Whether the JSON text nests objects and arrays deeper than so many levels, found without recursion.

    A recursive decoder fails at a depth that depends on the stack of its caller, so that one message would be
    valid in one program and invalid in another. Brackets inside strings do not count. For a text that is no
    JSON the result is about its brackets.
    """
    if len(value) < levels or _openings(value) <= levels:
        return False
    brackets = _STRING.sub(b"", value).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > levels


def _openings(value: bytes) -> int:
    """The opening brackets, also those in strings; of all ways to count rare bytes ``replace`` is fastest."""
    return 2 * len(value) - len(value.replace(b"[", b"")) - len(value.replace(b"{", b""))
