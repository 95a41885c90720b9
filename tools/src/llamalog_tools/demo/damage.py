"""Messages that are no valid event, damaged as in real systems."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from llamalog_schemas.codec import decode_event, encode_event_binary
from llamalog_schemas.limits import MAX_NESTING
from llamalog_tools.demo.messages import Kind, SampleMessage

Damage = Callable[[SampleMessage], SampleMessage]
"""Makes a message that the contract refuses out of a valid one in structured mode."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_UTF8 = b"\xff\xfe"
_OPERATION = b'"operation":"'


def _in_envelope(**attributes: Any) -> Damage:
    """Set CloudEvents attributes; None takes one away."""

    def damage(message: SampleMessage) -> SampleMessage:
        changed = json.loads(message.value) | attributes
        return _with_value(
            message, {name: value for name, value in changed.items() if name == "data" or value is not None}
        )

    return damage


def _in_data(**fields: Any) -> Damage:
    """Set fields of the event's data."""

    def damage(message: SampleMessage) -> SampleMessage:
        event = json.loads(message.value)
        event["data"] |= fields
        return _with_value(message, event)

    return damage


def _with_value(message: SampleMessage, content: object) -> SampleMessage:
    """Encoded by Python's JSON, which writes NaN and lone surrogates."""
    return message._replace(value=json.dumps(content).encode())


def _truncated(message: SampleMessage) -> SampleMessage:
    return message._replace(value=message.value[: len(message.value) // 2])


def _empty(message: SampleMessage) -> SampleMessage:
    return message._replace(key=None, value=b"", headers=[])


def _no_utf8(message: SampleMessage) -> SampleMessage:
    return message._replace(value=message.value.replace(_OPERATION, _OPERATION + _NO_UTF8))


def _no_utf8_in_header(message: SampleMessage) -> SampleMessage:
    value, headers = encode_event_binary(decode_event(message.value))
    broken = [(name, _NO_UTF8 if name == "ce_source" else content) for name, content in headers]
    return message._replace(value=value, headers=broken)


def _with_byte_order_mark(message: SampleMessage) -> SampleMessage:
    return message._replace(value=_BYTE_ORDER_MARK + message.value)


def _without_zone(message: SampleMessage) -> SampleMessage:
    event = json.loads(message.value)
    event["time"] = event["time"].removesuffix("Z")
    return _with_value(message, event)


def _nested(levels: int) -> dict[str, Any]:
    inmost: dict[str, Any] = {}
    for _ in range(levels - 1):
        inmost = {"deeper": inmost}
    return inmost


DAMAGES: Final[tuple[Damage, ...]] = (
    _truncated,
    _in_envelope(type="llamalog.entity-vanished.v1"),
    _without_zone,
    _in_data(jobId="enrich-itself", parentJobId="enrich-itself"),
    _in_data(reason="ends\0here"),
    _in_data(status="DONE"),
    _no_utf8,
    _empty,
    _in_data(colour="blue"),
    _in_envelope(type=None),
    _in_envelope(time="2150-01-01T00:00:00Z"),
    _in_envelope(specversion="0.3"),
    _in_envelope(data=None),
    _in_data(entityId="42"),
    _in_data(retryCount=2**31),
    _in_data(operation="x" * 101),
    _in_data(metadata={"score": float("nan")}),
    _in_data(metadata={"title": "\ud800"}),
    _in_data(metadata=_nested(MAX_NESTING + 1)),
    _no_utf8_in_header,
    _with_byte_order_mark,
)


class Damager:
    """Damages messages in every way in turn, so that even a few are of many sorts."""

    def __init__(self, dice: Random) -> None:
        self._turn = dice.randrange(len(DAMAGES))

    def damaged(self, message: SampleMessage) -> SampleMessage:
        """A bad message made from a good one in structured mode, which stays what it was."""
        self._turn = (self._turn + 1) % len(DAMAGES)
        return DAMAGES[self._turn](message)._replace(kind=Kind.BAD, late=False)
