"""Bad messages, kept as they came with the reason why."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from llamalog_schemas.codec import Headers
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.publish.producer import MessageTooLargeError, OutgoingMessage, Publisher

KEPT_OF_TOO_LARGE = 256 * 1024
"""Bytes kept of a key and of a value that the dead-letter topic refuses; their own topic holds the whole."""


class Record(Protocol):
    """A message as consumed: what aiokafka's ConsumerRecord offers and the service uses."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Letter(NamedTuple):
    """A consumed message and why it is dead."""

    record: Record
    verdict: DeadLetter


async def publish_dead_letters(publisher: Publisher, topic: str, letters: Sequence[Letter]) -> None:
    """Publish letters byte for byte, their coordinates and the reason in added headers.

    A message that is too large even here (it came compressed) is cut, and says so in the header
    ``llamalog-truncated``; headers that came with it are left out where they are too large by themselves.

    Raises:
        UnavailableError: not all were acknowledged; publishing all again is safe.
    """
    try:
        await publisher.publish(topic, [_message(letter) for letter in letters])
    except MessageTooLargeError:
        for letter in letters:
            try:
                await publisher.publish(topic, [_message(letter)])
            except MessageTooLargeError:
                await publisher.publish(topic, [_cut(letter)])


def _message(letter: Letter) -> OutgoingMessage:
    record = letter.record
    return OutgoingMessage(record.key, record.value, [*record.headers, *_added(letter)])


def _added(letter: Letter) -> list[tuple[str, bytes | None]]:
    record, verdict = letter
    added = {
        "llamalog-reason": verdict.reason,
        "llamalog-error": verdict.sentence,
        "llamalog-topic": record.topic,
        "llamalog-partition": str(record.partition),
        "llamalog-offset": str(record.offset),
    }
    return [(name, text.encode(errors="replace")) for name, text in added.items()]


def _cut(letter: Letter) -> OutgoingMessage:
    key, value, came = letter.record.key, letter.record.value or b"", letter.record.headers
    kept = [*came] if sum(len(name) + len(text or b"") for name, text in came) <= KEPT_OF_TOO_LARGE else []
    note: tuple[str, bytes | None] = (
        "llamalog-truncated",
        f"{KEPT_OF_TOO_LARGE} of {len(value)} bytes at most, {len(kept)} of {len(came)} headers".encode(),
    )
    return OutgoingMessage(
        key[:KEPT_OF_TOO_LARGE] if key is not None else None,
        value[:KEPT_OF_TOO_LARGE],
        [*kept, *_added(letter), note],
    )
