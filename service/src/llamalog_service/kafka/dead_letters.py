"""Dead letters: rejected messages byte for byte, the reason in added headers; built, read back, parsed."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord
from msgspec import Struct
from msgspec.structs import replace

from llamalog_schemas.codec import Headers, source_of
from llamalog_service.domain.erasures import Erasures
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.erasing import ERASED, MessageEraser
from llamalog_service.kafka.reader import Record, Span, read_range, read_spans
from llamalog_service.kafka.record_batches import MAX_RECORD_BYTES, CutValue
from llamalog_service.kafka.topics import DEAD_LETTER_BYTES, topics_of
from llamalog_service.settings import Settings
from llamalog_service.telemetry.logging import printable

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
PRODUCER = "llamalog-producer"
TRUNCATED = "llamalog-truncated"
"""Our headers, in this order behind those that the message had; the last two only where a source could be
read, and where the message was cut."""

_LONGEST_PRODUCER = 1000
"""Characters; a message may be refused because its source is longer."""

_FORMS = tuple((*ADDED_HEADERS, *more) for more in ((), (PRODUCER,), (TRUNCATED,), (PRODUCER, TRUNCATED)))

Spans = Mapping[int, Span]
"""By partition of the topic of dead letters."""

UNNAMED: Final = "(no reason given)"
"""Stands for the reason of a message among the dead letters that llamalog did not put there."""


TOO_LARGE: Final = "record-too-large"
"""The reason code of a record that is not read whole, for its size once it is decompressed."""


def too_large(value: CutValue) -> DeadLetter:
    """The reason why a record of which only the beginning was read is rejected."""
    return DeadLetter(
        TOO_LARGE,
        f"the record has {value.record_bytes} bytes once it is decompressed, key, value and headers; "
        f"{MAX_RECORD_BYTES} are allowed. Its own topic still holds all of it.",
    )


class RejectedRecord(NamedTuple):
    """A consumed message and the reason why it is rejected."""

    record: Record
    verdict: DeadLetter


class DeadLetterPosition(NamedTuple):
    """The position of a dead letter in its topic; positions compare in the order of reading."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class Coordinates(NamedTuple):
    """The coordinates of a message that became a dead letter, in its original topic."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class StoredDeadLetter(Struct, frozen=True):
    """A message of the topic of dead letters.

    Attributes:
        position: where it lies there.
        kept_at: when it was put there, UTC.
        came_from: None if it bears none of the added headers: another program put it there.
        producer: the source that the message names, printable; None where none could be read.
        truncated: how much of a message too large to be kept whole was kept.
        key, value, headers: of the message as it came.
    """

    position: DeadLetterPosition
    kept_at: datetime
    came_from: Coordinates | None
    reason: str
    sentence: str
    producer: str | None
    truncated: str | None
    key: bytes | None
    value: bytes | None
    headers: Headers


def dead_letter_message(rejected: RejectedRecord) -> MessageToSend:
    """A rejected message byte for byte, its coordinates and the reason in added headers.

    A message that is too large even here is cut, and says so in the header ``llamalog-truncated``. It is
    never sent whole: a message that the broker refuses leaves a gap in an idempotent producer's sequence,
    and everything that follows is refused too.
    """
    record, verdict = rejected
    added = {
        REASON: verdict.reason,
        ERROR: verdict.sentence,
        TOPIC: record.topic,
        PARTITION: str(record.partition),
        OFFSET: str(record.offset),
    }
    if (producer := _producer_of(record)) is not None:
        added[PRODUCER] = producer
    kept = MessageToSend(record.key, record.value, [*record.headers])
    size = record.value.record_bytes if type(record.value) is CutValue else _size(kept)
    if size > LARGEST_WHOLE:
        kept = _cut(kept)
        added[TRUNCATED] = f"{_size(kept)} of {size} bytes"
    ours = [(name, _cut_text(text)) for name, text in added.items()]
    return kept._replace(headers=[*kept.headers, *ours])


def _producer_of(record: Record) -> str | None:
    if record.value is None or type(record.value) is CutValue:
        return None
    source = source_of(record.value, record.headers)
    return None if source is None else printable(source[:_LONGEST_PRODUCER])


def _cut_text(text: str) -> bytes:
    encoded = text.encode(errors="replace")
    if len(encoded) <= LONGEST_SENTENCE:
        return encoded
    return encoded[:LONGEST_SENTENCE].decode(errors="ignore").encode() + "…".encode()


def _size(message: MessageToSend) -> int:
    headers = sum(_header_size(name, content) for name, content in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def _header_size(name: str, content: bytes | None) -> int:
    return len(name.encode()) + len(content or b"") + _FRAMING_OF_A_HEADER


def _cut(message: MessageToSend) -> MessageToSend:
    headers: list[tuple[str, bytes | None]] = []
    room = KEPT_OF_HEADERS
    for name, content in message.headers:
        room -= _header_size(name, content)
        if room < 0:
            break
        headers.append((name, content))
    key, value = message.key, message.value
    return MessageToSend(
        key[:KEPT_OF_KEY] if key is not None else None,
        value[:KEPT_OF_VALUE] if value is not None else None,
        headers,
    )


def parse_dead_letter(record: ConsumerRecord) -> StoredDeadLetter:
    """The dead letter that a record of their topic holds: the added headers are taken off the end.

    They come after all others, so that a header ``llamalog-…`` of the message itself stays with it.
    """
    headers, added = _split_headers(record.headers)
    return StoredDeadLetter(
        position=DeadLetterPosition(record.partition, record.offset),
        kept_at=datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC),
        came_from=_coordinates(added),
        reason=added.get(REASON, UNNAMED),
        sentence=added.get(ERROR, ""),
        producer=added.get(PRODUCER),
        truncated=added.get(TRUNCATED),
        key=record.key,
        value=record.value,
        headers=headers,
    )


def erase_dead_letter(eraser: MessageEraser, record: Record) -> MessageToSend:
    """The message of a dead letter without the data of erased persons; its sentence may quote such data."""
    kept, _ = _split_headers(record.headers)
    ours = list(record.headers[len(kept) :])
    value, headers = eraser.message(record.value, kept)
    if value != record.value:
        ours = [(name, ERASED.encode() if name == ERROR else content) for name, content in ours]
    return MessageToSend(record.key, value, [*headers, *ours])


def _erased(eraser: MessageEraser, dead_letter: StoredDeadLetter) -> StoredDeadLetter:
    value, headers = eraser.message(dead_letter.value, dead_letter.headers)
    if value == dead_letter.value:
        return dead_letter
    return replace(dead_letter, value=value, headers=headers, sentence=ERASED)


def _split_headers(headers: Headers) -> tuple[Headers, dict[str, str]]:
    names = tuple(name for name, _ in headers)
    for ours in _FORMS:
        if names[-len(ours) :] == ours:
            return list(headers[: -len(ours)]), dict(_texts(headers[-len(ours) :]))
    return list(headers), {}


def _texts(headers: Headers) -> Iterator[tuple[str, str]]:
    for name, content in headers:
        yield name, (content or b"").decode(errors="replace")


def _coordinates(added: Mapping[str, str]) -> Coordinates | None:
    try:
        return Coordinates(added[TOPIC], int(added[PARTITION]), int(added[OFFSET]))
    except (KeyError, ValueError):
        return None


ReadErasures = Callable[[], Awaitable[Erasures]]
"""Reads the erasures that the table has recorded."""


class DeadLetterReader:
    """The topic of dead letters, read back.

    Args:
        erasures: of the persons whose data is left out; None: the dead letters are read as they are stored.
    """

    def __init__(self, settings: Settings, erasures: ReadErasures | None = None) -> None:
        self._settings = settings
        self._erasures = erasures
        self._topic = topics_of(settings).dead_letters.name

    async def spans(self, after: DeadLetterPosition | None = None) -> Spans:
        """The spans of all dead letters that exist at this moment.

        Args:
            after: leave out the dead letters up to this position.

        Raises:
            TopicAbsentError: there is no topic of dead letters.
            UnavailableError: Kafka does not answer.
        """
        spans = await read_spans(self._settings, self._topic)
        if after is None:
            return spans
        return {
            partition: span._replace(first=max(span.first, after.offset + 1))
            if partition == after.partition
            else span
            for partition, span in spans.items()
            if partition >= after.partition
        }

    async def read(self, spans: Spans) -> AsyncGenerator[list[StoredDeadLetter], None]:
        """The dead letters of some spans, one partition after the other, a fetch at a time.

        Dead letters that retention removes meanwhile are left out.

        Raises:
            UnavailableError: Kafka, or PostgreSQL for the erasures, does not answer.
        """
        eraser = MessageEraser(Erasures() if self._erasures is None else await self._erasures())
        for partition, span in sorted(spans.items()):
            async with aclosing(read_range(self._settings, self._topic, {partition: span})) as portions:
                async for portion in portions:
                    if portion.records:
                        yield [_erased(eraser, parse_dead_letter(record)) for record in portion.records]
