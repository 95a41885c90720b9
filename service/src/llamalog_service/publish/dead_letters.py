"""Bad messages, kept as they came with the reason why."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from llamalog_schemas.codec import Headers
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.publish.producer import MessageTooLargeError, OutgoingMessage, Publisher

KEPT_OF_TOO_LARGE = 256 * 1024
"""Bytes kept of a value that the dead-letter topic itself refuses; its topic still holds the whole."""


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

    A value that is too large even here (it came compressed) is cut, and says so in the header
    ``llamalog-truncated``.

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
                await publisher.publish(topic, [_cut(_message(letter))])


def _message(letter: Letter) -> OutgoingMessage:
    record, verdict = letter
    added = {
        "llamalog-reason": verdict.reason,
        "llamalog-error": verdict.sentence,
        "llamalog-topic": record.topic,
        "llamalog-partition": str(record.partition),
        "llamalog-offset": str(record.offset),
    }
    headers = [*record.headers, *((name, text.encode(errors="replace")) for name, text in added.items())]
    return OutgoingMessage(record.key, record.value, headers)


def _cut(message: OutgoingMessage) -> OutgoingMessage:
    value = message.value or b""
    note = ("llamalog-truncated", f"{KEPT_OF_TOO_LARGE} of {len(value)} bytes".encode())
    return message._replace(value=value[:KEPT_OF_TOO_LARGE], headers=[*message.headers, note])
