"""Bytes ⇄ models, and the rules that no type states. Pure: no client, no clock, no setting.

Structured mode is what we write and the fast path; binary mode is turned into structured
mode first, so that one set of rules applies to both.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from llamalog_schemas import huge_numbers
from llamalog_schemas.backfills import BackfillEvent
from llamalog_schemas.commands import Command, check_command
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import (
    CloudEvent,
    EntityData,
    Event,
    FailureData,
    LegacyRow,
    is_legacy_row,
    is_override,
)
from llamalog_schemas.legacy import parse_moment
from llamalog_schemas.limits import (
    EARLIEST_TIME,
    LATEST_TIME,
    MAX_INTEGER,
    MAX_LEGACY_ROW_BYTES,
    MAX_MESSAGE_NESTING,
    MAX_NESTING,
    MAX_VALUE_BYTES,
    MIN_INTEGER,
    TRACEPARENT,
    UUID_TEXT,
    nested_deeper_than,
)
from llamalog_schemas.provenance import ProvenanceRecorded
from llamalog_schemas.upcast import UPCASTERS, Upcasters

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka headers as aiokafka hands them over: a key may occur twice, a value may be null."""

CONTENT_TYPE: Final = "content-type"
STRUCTURED: Final = b"application/cloudevents+json; charset=UTF-8"
STRUCTURED_HEADERS: Final[list[tuple[str, bytes | None]]] = [(CONTENT_TYPE, STRUCTURED)]
"""The headers of every message in structured mode; a list, because aiokafka insists on one."""

_USUAL_HEADERS: Final = tuple(STRUCTURED_HEADERS)
"""As aiokafka hands them over; equal ones need not be searched."""

_STRUCTURED_PREFIX = b"application/cloudevents"
_LENIENT: Final = ("traceparent", "llamalogerased")
"""Attributes that are read and never a ground to refuse an event."""
_ATTRIBUTE_HEADERS = {
    f"ce_{name}": name for name in ("specversion", "id", "source", "type", "time", "subject", *_LENIENT)
}
_LEGACY_TYPE = str(LegacyRow.__struct_config__.tag).encode()
_FINER_THAN_MICROSECONDS = re.compile(rb"\.\d{7}")
_NUL_ESCAPE: Final = b"\\u0000"


class _SourceAlone(msgspec.Struct):
    """A message of which all but the source is skipped."""

    source: Any = None


class _TypeAlone(msgspec.Struct):
    """A message of which all but the type is skipped."""

    type: str


_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_backfill_event_decoder: msgspec.json.Decoder[BackfillEvent] = msgspec.json.Decoder(BackfillEvent)
_provenance_decoder: msgspec.json.Decoder[ProvenanceRecorded] = msgspec.json.Decoder(ProvenanceRecorded)
_type_decoder: msgspec.json.Decoder[_TypeAlone] = msgspec.json.Decoder(_TypeAlone)
_source_decoder: msgspec.json.Decoder[_SourceAlone] = msgspec.json.Decoder(_SourceAlone)
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
    texts = {name: "true" if value is True else str(value) for name, value in attributes.items()}
    headers = [(f"ce_{name}", text.encode()) for name, text in texts.items()]
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
    if len(value) > MAX_VALUE_BYTES and not _has_legacy_type(value, headers):
        _refuse_size(value, MAX_VALUE_BYTES)
    is_binary = headers and headers != _USUAL_HEADERS and is_binary_mode(headers)
    structured = _from_binary_mode(value, headers) if is_binary else value
    try:
        event = _decode_latest(_event_decoder, structured, upcasters)
    except InvalidMessageError as error:
        if not any(f"`$.{name}" in error.sentence for name in _LENIENT):
            raise
        event = _decode_latest(_event_decoder, _without_lenient(structured), upcasters)
    if _FINER_THAN_MICROSECONDS.search(structured):
        event = _with_time_cut(event, structured)
    if len(value) > MAX_VALUE_BYTES and not is_legacy_row(event):
        _refuse_size(value, MAX_VALUE_BYTES)
    _check_event(event, structured)
    return event


def source_of(value: bytes, headers: Headers = ()) -> str | None:
    """The ``source`` that a message names, be it valid or not; None where none can be read."""
    if headers and is_binary_mode(headers):
        named = next((content for name, content in headers if name == "ce_source" and content), b"")
        return named.decode(errors="replace") or None
    try:
        found = _decode(_source_decoder, value).source
    except InvalidMessageError:
        return None
    return found if isinstance(found, str) and found else None


def decode_command(value: bytes, upcasters: Upcasters = UPCASTERS) -> Command:
    """The command that a message is, in the latest version.

    Raises:
        InvalidMessageError: also when the command's id, which names its run, is no UUID.
    """
    command = _decode_latest(_command_decoder, value, upcasters)
    check_command(command)
    _check_no_nul(command, value)
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


def _has_legacy_type(value: bytes, headers: Headers) -> bool:
    """Whether a large value may be decoded: another type is detected without building an object.

    Raises:
        InvalidMessageError: it is no JSON, or has no type.
    """
    if headers and is_binary_mode(headers):
        return any(content == _LEGACY_TYPE for _, content in headers)
    return _LEGACY_TYPE in value and _decode(_type_decoder, value).type == _LEGACY_TYPE.decode()


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
    if len(value) > huge_numbers.SHORT_BYTES and huge_numbers.may_hold_many(value):
        model: Any = decoder.type
        decoder = huge_numbers.decoder_of(model)
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


def is_binary_mode(headers: Headers) -> bool:
    """Whether the attributes of a message stand in its headers, and its value is the ``data`` alone."""
    names_type = False
    for name, content in headers:
        if name == "ce_type":
            names_type = True
        elif content is not None and name.lower() == CONTENT_TYPE and _names_structured_mode(content):
            return False
    return names_type


def _names_structured_mode(content_type: bytes) -> bool:
    """Whether a media type is a CloudEvents one; the case of its letters does not matter."""
    prefix = _STRUCTURED_PREFIX
    return content_type.startswith(prefix) or content_type.lstrip()[: len(prefix)].lower() == prefix


def _from_binary_mode(value: bytes, headers: Headers) -> bytes:
    message: dict[str, Any] = {}
    for header, content in headers:
        attribute = _ATTRIBUTE_HEADERS.get(header)
        if attribute is None or content is None:
            continue
        try:
            message[attribute] = content.decode()
        except UnicodeDecodeError:
            if attribute in _LENIENT:
                continue
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


def _check_event(event: Event, structured: bytes) -> None:
    """Check an event against the rules.

    Args:
        structured: the bytes in structured mode that the event was read from.

    Raises:
        InvalidMessageError: with the reason's code and a sentence that names the field.
    """
    if not EARLIEST_TIME <= event.time < LATEST_TIME:
        raise InvalidMessageError(
            InvalidReason.BAD_TIME,
            f"`time` is {event.time.isoformat()}; it must lie in the years 1970 to 2099 (UTC)",
        )
    if is_legacy_row(event):
        _check_legacy_row(event)
    elif not is_override(event):
        _check_entity(event.data)
        if event.traceparent is not None and not _is_well_formed(event.traceparent):
            # Of a new object, which nothing else refers to: a trace is no ground to refuse an event.
            msgspec.structs.force_setattr(event, "traceparent", None)
    if not is_override(event) and event.erased is not None:
        counts = (event.erased is True or event.erased == "true") and event.data.user_id is None
        msgspec.structs.force_setattr(event, "erased", True if counts else None)
    _check_no_nul(event, structured)


def _without_lenient(structured: bytes) -> bytes:
    """The message without the attributes of which one cannot be decoded: it holds a number out of range."""
    attributes: dict[str, msgspec.Raw] = msgspec.json.decode(structured, type=dict[str, msgspec.Raw])
    return _encoder.encode({name: value for name, value in attributes.items() if name not in _LENIENT})


def _is_well_formed(traceparent: Any) -> bool:
    return type(traceparent) is str and TRACEPARENT.fullmatch(traceparent) is not None


def _check_legacy_row(event: LegacyRow) -> None:
    if UUID_TEXT.fullmatch(event.id) is None:
        raise InvalidMessageError(
            InvalidReason.BAD_ENVELOPE, f"`id` is {event.id!r}: a legacy row's event bears the id of the row"
        )
    try:
        parse_moment(event.data.created_at)
    except ValueError as error:
        raise InvalidMessageError(InvalidReason.BAD_FIELD, f"`data.createdAt`: {error}") from None


def _check_entity(data: EntityData | FailureData) -> None:
    if data.job_id is not None and data.job_id == data.parent_job_id:
        raise InvalidMessageError(
            InvalidReason.SELF_PARENT,
            f"`data.parentJobId` equals `data.jobId` ({data.job_id}): no job starts itself",
        )
    if data.metadata is not None:
        _check_json(data.metadata, "data.metadata", MAX_NESTING)
    if data.preview_data is not None:
        _check_json(data.preview_data, "data.previewData", MAX_NESTING)


def _check_json(value: dict[str, Any] | list[Any], path: str, levels: int) -> None:
    """Refuse values that JSON allows and PostgreSQL's ``jsonb`` or a reader's stack does not."""
    if levels == 0:
        raise InvalidMessageError(
            InvalidReason.TOO_DEEP, f"`{path}` is nested deeper than {MAX_NESTING} levels"
        )
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is dict or kind is list:
            if item or levels == 1:  # a value may hold 80,000 empty ones
                _check_json(item, path, levels - 1)
        elif kind is int and not MIN_INTEGER <= item <= MAX_INTEGER:
            raise InvalidMessageError(
                InvalidReason.NUMBER_OUT_OF_RANGE, f"`{path}` holds an integer that does not fit 64 bits"
            )


def _check_no_nul(message: Event | Command, structured: bytes) -> None:
    """Refuse NUL wherever it would reach the database; nesting has been checked before."""
    if b"\\" not in structured or _NUL_ESCAPE not in structured:  # most messages hold no backslash at all
        return
    fields = {"id": message.id, "source": message.source}
    fields |= {f"data.{field}": value for field, value in msgspec.to_builtins(message.data).items()}
    for field, value in fields.items():
        if _holds_nul(value):
            raise InvalidMessageError(
                InvalidReason.NUL_CHARACTER, f"`{field}` holds a NUL character (\\u0000)"
            )


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_nul, value.keys())) or any(map(_holds_nul, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value
