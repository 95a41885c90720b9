"""Bad messages, kept as they came with the reason why."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from llamalog_schemas.codec import Headers
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.producer import MessageProducer, OutgoingMessage
from llamalog_service.kafka.topics import DEAD_LETTER_BYTES

_OUR_HEADERS_AND_FRAMING = 64 * 1024
_FRAMING_OF_A_HEADER = 10
LARGEST_WHOLE = DEAD_LETTER_BYTES - _OUR_HEADERS_AND_FRAMING
"""Bytes of key, value and headers up to which a message is kept whole; a larger one came compressed."""

KEPT_OF_VALUE = 256 * 1024
KEPT_OF_KEY = 64 * 1024
KEPT_OF_HEADERS = 64 * 1024
"""Bytes kept of a message that is not kept whole; its own topic still holds all of it."""

LONGEST_SENTENCE = 4 * 1024
"""Bytes; a sentence quotes the message, whose field names may be as long as its value."""

REASON, ERROR = "llamalog-reason", "llamalog-error"
TOPIC, PARTITION, OFFSET = "llamalog-topic", "llamalog-partition", "llamalog-offset"
ADDED_HEADERS = (REASON, ERROR, TOPIC, PARTITION, OFFSET)
TRUNCATED = "llamalog-truncated"
"""Our headers, in this order behind those that the message had; the last one only if it was cut."""


class Record(Protocol):
    """A message as consumed: what aiokafka's ConsumerRecord offers and the service uses."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class RejectedRecord(NamedTuple):
    """A consumed message and why it is dead."""

    record: Record
    verdict: DeadLetter


async def publish_dead_letters(
    publisher: MessageProducer, topic: str, letters: Sequence[RejectedRecord]
) -> None:
    """Publish letters byte for byte, their coordinates and the reason in added headers.

    A message that is too large even here is cut, and says so in the header ``llamalog-truncated``. It is
    never tried whole: what a broker refuses leaves a gap in an idempotent producer's numbers, and
    everything that follows is refused too.

    Raises:
        UnavailableError: not all were acknowledged; publishing all again is safe.
    """
    await publisher.send(topic, [_message(letter) for letter in letters])


def _message(letter: RejectedRecord) -> OutgoingMessage:
    record, verdict = letter
    added = {
        REASON: verdict.reason,
        ERROR: verdict.sentence,
        TOPIC: record.topic,
        PARTITION: str(record.partition),
        OFFSET: str(record.offset),
    }
    kept = OutgoingMessage(record.key, record.value, [*record.headers])
    size = _size(kept)
    if size > LARGEST_WHOLE:
        kept = _cut(kept)
        added[TRUNCATED] = f"{_size(kept)} of {size} bytes"
    ours = [(name, _cut_text(text)) for name, text in added.items()]
    return kept._replace(headers=[*kept.headers, *ours])


def _cut_text(text: str) -> bytes:
    encoded = text.encode(errors="replace")
    if len(encoded) <= LONGEST_SENTENCE:
        return encoded
    return encoded[:LONGEST_SENTENCE].decode(errors="ignore").encode() + "…".encode()


def _size(message: OutgoingMessage) -> int:
    headers = sum(_header_size(name, content) for name, content in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def _header_size(name: str, content: bytes | None) -> int:
    return len(name.encode()) + len(content or b"") + _FRAMING_OF_A_HEADER


def _cut(message: OutgoingMessage) -> OutgoingMessage:
    headers: list[tuple[str, bytes | None]] = []
    room = KEPT_OF_HEADERS
    for name, content in message.headers:
        room -= _header_size(name, content)
        if room < 0:
            break
        headers.append((name, content))
    key, value = message.key, message.value
    return OutgoingMessage(
        key[:KEPT_OF_KEY] if key is not None else None,
        value[:KEPT_OF_VALUE] if value is not None else None,
        headers,
    )
