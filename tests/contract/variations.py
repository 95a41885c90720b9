"""Variations of one good message, and what becomes of them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from contract.golden_payloads import load
from llamalog_schemas import (
    Event,
    Headers,
    InvalidMessageError,
    InvalidReason,
    decode_event,
    is_legacy_row,
    is_override,
)
from llamalog_service.domain.rows import RowContent, content_of

FULL = load("entity-created/v1/full").structured
Change = dict[str, Any]


def value_of(data: Change | None = None, without: str | None = None, **attributes: Any) -> bytes:
    """The full golden payload with fields of data or attributes changed, or one of either left out."""
    content = {name: value for name, value in (FULL["data"] | (data or {})).items() if name != without}
    message = FULL | attributes | {"data": content}
    return json.dumps({name: value for name, value in message.items() if name != without}).encode()


def accepted(value: bytes, headers: Headers = ()) -> Event:
    return decode_event(value, headers)


def refused(value: bytes, headers: Headers = ()) -> InvalidReason:
    with pytest.raises(InvalidMessageError) as refusal:
        decode_event(value, headers)
    return refusal.value.reason


def row_of(value: bytes, headers: Headers = ()) -> RowContent:
    event = decode_event(value, headers)
    assert not is_override(event) and not is_legacy_row(event)
    return content_of(event)


def nest(levels: int) -> Any:
    """Objects in each other, so many levels deep."""
    nested: Any = {}
    for _ in range(levels - 1):
        nested = {"a": nested}
    return nested


def record(value: bytes | None, headers: Headers = (), key: bytes | None = None) -> Any:
    return SimpleNamespace(topic="t", partition=0, offset=0, key=key, value=value, headers=headers)
