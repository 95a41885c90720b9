"""Bytes ⇄ models. Pure: no client, no clock, no setting.

Structured mode is what we write and the fast path; binary mode is turned into structured
mode first, so that one set of rules applies to both.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from llamalog_schemas.backfills import BackfillEvent
from llamalog_schemas.commands import Command
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import CloudEvent, Event, LegacyRow, is_legacy_row
from llamalog_schemas.limits import (
    MAX_LEGACY_ROW_BYTES,
    MAX_MESSAGE_NESTING,
    MAX_VALUE_BYTES,
    nested_deeper_than,
)
from llamalog_schemas.provenance import ProvenanceRecorded
from llamalog_schemas.rules import check_command, check_event
from llamalog_schemas.upcast import UPCASTERS, Upcasters

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka headers as aiokafka hands them over: a key may occur twice, a value may be null."""

CONTENT_TYPE: Final = "content-type"
STRUCTURED: Final = b"application/cloudevents+json; charset=UTF-8"
STRUCTURED_HEADERS: Final[list[tuple[str, bytes | None]]] = [(CONTENT_TYPE, STRUCTURED)]
"""The headers of every message in structured mode; a list, because aiokafka insists on one."""

_STRUCTURED_PREFIX = b"application/cloudevents"
_ATTRIBUTE_HEADERS = {
    f"ce_{name}": name for name in ("specversion", "id", "source", "type", "time", "subject")
}
_LEGACY_TYPE = str(LegacyRow.__struct_config__.tag).encode()
_FINER_THAN_MICROSECONDS = re.compile(rb"\.\d{7}")

_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_backfill_event_decoder: msgspec.json.Decoder[BackfillEvent] = msgspec.json.Decoder(BackfillEvent)
_provenance_decoder: msgspec.json.Decoder[ProvenanceRecorded] = msgspec.json.Decoder(ProvenanceRecorded)
_raw_decoder: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)
_encoder = msgspec.json.Encoder()

Message = TypeVar("Message")


def encode(message: CloudEvent) -> bytes:
    """The value of a message in structured mode; send it with ``STRUCTURED_HEADERS``."""
    return _encoder.encode(message)


def encode_event_binary(event: Event) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The message value and headers of an event in binary mode."""
    attributes = msgspec.to_builtins(event)
    data = attributes.pop("data")
    headers = [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    return _encoder.encode(data), [(CONTENT_TYPE, b"application/json"), *headers]


def decode_event(value: bytes, headers: Headers = (), upcasters: Upcasters = UPCASTERS) -> Event:
    """The event that a message is, in the latest version.

    Args:
        value: the message's value; a tombstone (null) is no message; the caller skips it.
        headers: the message's headers; those that are not CloudEvents' are ignored.
        upcasters: the old versions that are understood, too.

    Raises:
        InvalidMessageError: with the reason's code and a sentence that names the field.
    """
    if len(value) > MAX_LEGACY_ROW_BYTES:
        _refuse_size(value, MAX_LEGACY_ROW_BYTES)
    if len(value) > MAX_VALUE_BYTES and not _may_be_legacy_row(value, headers):
        _refuse_size(value, MAX_VALUE_BYTES)
    structured = _from_binary_mode(value, headers) if headers and _is_binary_mode(headers) else value
    event = _decode_latest(_event_decoder, structured, upcasters)
    if _FINER_THAN_MICROSECONDS.search(structured):
        event = _with_time_cut(event, structured)
    if len(value) > MAX_VALUE_BYTES and not is_legacy_row(event):
        _refuse_size(value, MAX_VALUE_BYTES)
    check_event(event, structured)
    return event


def decode_command(value: bytes, upcasters: Upcasters = UPCASTERS) -> Command:
    """The command that a message is, in the latest version.

    Raises:
        InvalidMessageError: also when the command's id, which names its run, is no UUID.
    """
    command = _decode_latest(_command_decoder, value, upcasters)
    check_command(command, value)
    return command


def decode_backfill_event(value: bytes, upcasters: Upcasters = UPCASTERS) -> BackfillEvent:
    """The backfill event that a message is, in the latest version.

    Raises:
        InvalidMessageError: with the reason's code and a sentence that names the field.
    """
    return _decode_latest(_backfill_event_decoder, value, upcasters)


def decode_provenance(value: bytes, upcasters: Upcasters = UPCASTERS) -> ProvenanceRecorded:
    """The provenance record that a message is, in the latest version.

    Raises:
        InvalidMessageError: with the reason's code and a sentence that names the field.
    """
    return _decode_latest(_provenance_decoder, value, upcasters)


def _decode_latest(decoder: msgspec.json.Decoder[Message], value: bytes, upcasters: Upcasters) -> Message:
    """The message in the latest version; an old one is upcast, then validated by the latest model."""
    try:
        return _decode(decoder, value)
    except InvalidMessageError as error:
        if error.reason is not InvalidReason.UNKNOWN_TYPE or upcasters.decoder is None:
            raise
    latest = upcasters.latest(_decode(upcasters.decoder, value))
    try:
        return msgspec.convert(msgspec.to_builtins(latest), decoder.type)
    except msgspec.ValidationError as error:
        _refuse(error)


def _may_be_legacy_row(value: bytes, headers: Headers) -> bool:
    """A cheap check before a large value is decoded: its type occurs in it or in a header."""
    return _LEGACY_TYPE in value or any(content == _LEGACY_TYPE for _, content in headers)


def _refuse_size(value: bytes, allowed: int) -> NoReturn:
    raise InvalidMessageError(
        InvalidReason.TOO_LARGE, f"the value has {len(value)} bytes; {allowed} are allowed"
    )


def _decode(decoder: msgspec.json.Decoder[Message], value: bytes) -> Message:
    if not value:
        raise InvalidMessageError(InvalidReason.EMPTY, "the message's value is empty")
    if not value.isascii():
        _require_utf8(value)
    if len(value) > 2 * MAX_MESSAGE_NESTING and nested_deeper_than(value, MAX_MESSAGE_NESTING):
        raise InvalidMessageError(
            InvalidReason.TOO_DEEP, f"the JSON is nested deeper than {MAX_MESSAGE_NESTING} levels"
        )
    try:
        return decoder.decode(value)
    except msgspec.DecodeError as error:
        _refuse(error)


def _require_utf8(value: bytes) -> None:
    """The decoder skips what it does not know unread, yet a text that is not UTF-8 is no JSON anywhere."""
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise InvalidMessageError(
            InvalidReason.NOT_UTF8, f"the value is not UTF-8 at byte {error.start}: {error.reason}"
        ) from None


def _is_binary_mode(headers: Headers) -> bool:
    names_type = False
    for name, content in headers:
        if name == CONTENT_TYPE and content is not None and content.startswith(_STRUCTURED_PREFIX):
            return False
        names_type = names_type or name == "ce_type"
    return names_type


def _from_binary_mode(value: bytes, headers: Headers) -> bytes:
    message: dict[str, Any] = {}
    for header, content in headers:
        attribute = _ATTRIBUTE_HEADERS.get(header)
        if attribute is None or content is None:
            continue
        try:
            message[attribute] = content.decode()
        except UnicodeDecodeError:
            raise InvalidMessageError(InvalidReason.BAD_HEADER, f"the header {header} is not UTF-8") from None
    message["data"] = _decode(_raw_decoder, value)
    return _encoder.encode(message)


def _with_time_cut(event: Event, structured: bytes) -> Event:
    """Undo the decoder's rounding of a time finer than microseconds: the contract cuts it."""

    class TimeText(msgspec.Struct):
        time: str

    text = msgspec.json.decode(structured, type=TimeText).time
    cut = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("z", "Z"))
    return msgspec.structs.replace(event, time=cut)


def _refuse(error: msgspec.DecodeError) -> NoReturn:
    """Raise the decoder's error as ours; the bytes were read once, this is the cold path."""
    if isinstance(error, msgspec.ValidationError):
        sentence = str(error)
        raise InvalidMessageError(_reason_of(sentence), sentence) from None
    raise InvalidMessageError(InvalidReason.NOT_JSON, f"the value is not JSON: {error}") from None


def _reason_of(message: str) -> InvalidReason:
    """The code of an error message of msgspec's, which ends in "- at `$.path`"."""
    sentence, _, path = message.rpartition(" - at ")
    if path.startswith("`$.type"):
        return InvalidReason.UNKNOWN_TYPE
    if path == "Object missing required field `type`":
        return InvalidReason.NO_TYPE
    if path.startswith("`$.time"):
        return InvalidReason.BAD_TIME
    if sentence.startswith("Object contains unknown field"):
        return InvalidReason.UNKNOWN_FIELD
    if sentence.endswith("out of range") or sentence.startswith("Expected `int` "):
        return InvalidReason.NUMBER_OUT_OF_RANGE
    return InvalidReason.BAD_FIELD if path.startswith("`$.data") else InvalidReason.BAD_ENVELOPE
