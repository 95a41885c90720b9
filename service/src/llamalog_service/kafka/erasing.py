"""Messages without the data of erased persons: events, dead letters, and what the contract refuses.

An event that the contract accepts becomes the event that the fold makes of it. In any other message each text
that is the id of an erased person is replaced: of JSON each whole text, else what stands in quotes.
"""

import re
from contextlib import aclosing
from typing import Any, Final

import msgspec

from llamalog_schemas.codec import Headers, decode_event, encode, encode_event_binary, is_binary_mode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import UserErased, is_override
from llamalog_service.domain.erasures import Erasure, Erasures, erased_event, erasure_of
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.reader import Record, read_range, read_spans
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings

ERASED: Final = "(erased)"
"""Stands for the id of an erased person in a message that is no event."""

_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class MessageEraser:
    """Gives messages without the data of erased persons; the same bytes where there is none."""

    def __init__(self, erasures: Erasures) -> None:
        self._erasures = erasures

    def record(self, record: Record) -> MessageToSend:
        """A message as it was consumed."""
        value, headers = self.message(record.value, record.headers)
        return MessageToSend(record.key, value, headers)

    def message(
        self, value: bytes | None, headers: Headers
    ) -> tuple[bytes | None, list[tuple[str, bytes | None]]]:
        """A value with its headers, to which one is added that marks an event in binary mode as erased."""
        kept = list(headers)
        if not value or not self._erasures:
            return value, kept
        try:
            event = decode_event(value, headers)
        except InvalidMessageError:
            return self._replaced(value), kept
        if is_override(event):
            return self._replaced(value), kept
        erased = erased_event(event, self._erasures)
        if erased == event:
            return value, kept
        if not is_binary_mode(headers):
            return encode(erased), kept
        data, attributes = encode_event_binary(erased)
        names = {name for name, _ in kept}
        return data, [*kept, *((name, content) for name, content in attributes if name not in names)]

    def _replaced(self, value: bytes) -> bytes:
        try:
            content = msgspec.json.decode(value)
            replaced = self._without(content)
            return value if replaced == content else msgspec.json.encode(replaced)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return _QUOTED.sub(self._unquoted, value)

    def _unquoted(self, found: re.Match[bytes]) -> bytes:
        quoted = found[0]
        try:
            text = msgspec.json.decode(quoted, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = quoted[1:-1].decode(errors="replace")
        return f'"{ERASED}"'.encode() if self._names(text) else quoted

    def _without(self, content: Any) -> Any:
        if isinstance(content, str):
            return ERASED if self._names(content) else content
        if isinstance(content, list):
            return [self._without(one) for one in content]
        if isinstance(content, dict):
            return {self._without(name): self._without(one) for name, one in content.items()}
        return content

    def _names(self, text: str) -> bool:
        try:
            return self._erasures.of(text) is not None
        except UnicodeEncodeError:  # a lone surrogate, which no id has
            return False


async def read_erasures(settings: Settings) -> Erasures:
    """All erasures of the topic of overrides, also those that no consumer has read yet.

    Raises:
        TopicAbsentError: there is no such topic.
        UnavailableError: Kafka does not answer.
    """
    topic = topics_of(settings).overrides.name
    erasures = Erasures()
    async with aclosing(read_range(settings, topic, await read_spans(settings, topic))) as portions:
        async for portion in portions:
            found = (_erasure(record) for record in portion.records)
            erasures = erasures.with_all(one for one in found if one is not None)
    return erasures


def _erasure(record: Record) -> Erasure | None:
    try:
        event = decode_event(record.value, record.headers) if record.value else None
    except InvalidMessageError:
        return None
    return erasure_of(event) if isinstance(event, UserErased) else None
