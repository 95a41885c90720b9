"""Every kind of bad input that real systems met, as far as a message's bytes show it, and its reason."""

import json
import sys
from typing import Any

import pytest

from contract.golden_payloads import load
from llamalog_schemas import (
    InvalidMessageError,
    InvalidReason,
    decode_event,
)
from llamalog_schemas.limits import MAX_MESSAGE_NESTING, MAX_NESTING, MAX_VALUE_BYTES

FULL = load("entity-created/v1/full")
GOOD = FULL.value
EVENT = decode_event(GOOD)


def with_raw(path: str, raw: bytes | str) -> bytes:
    """The full golden payload with raw JSON text in one place, such as ``data.jobId``."""
    message = FULL.structured
    *outer, last = path.split(".")
    place: dict[str, Any] = message
    for step in outer:
        place = place[step]
    place[last] = "@raw@"
    return json.dumps(message).encode().replace(b'"@raw@"', raw if isinstance(raw, bytes) else raw.encode())


def without(path: str) -> bytes:
    message = FULL.structured
    *outer, last = path.split(".")
    place: dict[str, Any] = message
    for step in outer:
        place = place[step]
    del place[last]
    return json.dumps(message).encode()


def nested(levels: int, *, close: bool = True) -> str:
    return '{"a":' * (levels - 1) + "{" + ("}" * levels if close else "")


BAD: dict[str, tuple[InvalidReason, bytes]] = {
    "an empty value": (InvalidReason.EMPTY, b""),
    "a value of 256 KiB and a byte": (
        InvalidReason.TOO_LARGE,
        GOOD + b" " * (MAX_VALUE_BYTES + 1 - len(GOOD)),
    ),
    "white space only": (InvalidReason.NOT_JSON, b" \n"),
    "truncated JSON": (InvalidReason.NOT_JSON, GOOD.rstrip()[:-1]),
    "two values": (InvalidReason.NOT_JSON, GOOD + GOOD),
    "a byte order mark": (InvalidReason.NOT_JSON, b"\xef\xbb\xbf" + GOOD),
    "UTF-16": (InvalidReason.NOT_UTF8, GOOD.decode().encode("utf-16")),
    "Latin-1": (InvalidReason.NOT_UTF8, with_raw("data.reason", '"Dvořák é"'.encode("iso-8859-2"))),
    "invalid UTF-8 in an unread attribute": (InvalidReason.NOT_UTF8, with_raw("tracestate", b'"\xff"')),
    "a surrogate as UTF-8": (InvalidReason.NOT_UTF8, with_raw("data.reason", b'"\xed\xa0\x80"')),
    "a lone surrogate": (InvalidReason.NOT_JSON, with_raw("data.reason", r'"\ud800"')),
    "a lone low surrogate": (InvalidReason.NOT_JSON, with_raw("data.reason", r'"\udc00 \ud800"')),
    "a lone surrogate as a key": (InvalidReason.NOT_JSON, with_raw("data.metadata", r'{"\ud800": 1}')),
    "NaN": (InvalidReason.NOT_JSON, with_raw("data.metadata.ratio", "NaN")),
    "infinity": (InvalidReason.NOT_JSON, with_raw("data.metadata.ratio", "-Infinity")),
    "a raw control character": (InvalidReason.NOT_JSON, with_raw("data.reason", b'"a\x00"')),
    "a batch": (InvalidReason.BAD_ENVELOPE, b"[" + GOOD + b"]"),
    "null": (InvalidReason.BAD_ENVELOPE, b"null"),
    "a number": (InvalidReason.BAD_ENVELOPE, b"1e999"),
    r"\u0000 in a field": (InvalidReason.NUL_CHARACTER, with_raw("data.reason", r'"a\u0000"')),
    r"\u0000 in a list": (InvalidReason.NUL_CHARACTER, with_raw("data.sources", r'["\u0000"]')),
    r"\u0000 in metadata": (
        InvalidReason.NUL_CHARACTER,
        with_raw("data.metadata.tags", r'[{"a": "\u0000"}]'),
    ),
    r"\u0000 as a key": (InvalidReason.NUL_CHARACTER, with_raw("data.previewData", r'{"\u0000": 1}')),
    r"\u0000 in the id": (InvalidReason.NUL_CHARACTER, with_raw("id", r'"\u0000"')),
    r"\u0000 in the source": (InvalidReason.NUL_CHARACTER, with_raw("source", r'"\u0000"')),
    "a count past int4": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.retryCount", str(2**31))),
    "a count below zero": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.retryCount", "-1")),
    "a count of 200k digits": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.retryCount", "1" * 200_000)),
    "2^63 in metadata": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.metadata.ratio", str(2**63))),
    "2^64 in metadata": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.metadata.ratio", str(2**64))),
    "-2^63-1 in metadata": (
        InvalidReason.NUMBER_OUT_OF_RANGE,
        with_raw("data.metadata.tags", f"[{-(2**63) - 1}]"),
    ),
    "30 digits in metadata": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.metadata.ratio", "1" * 30)),
    "200k digits in metadata": (
        InvalidReason.NUMBER_OUT_OF_RANGE,
        with_raw("data.metadata.ratio", "1" * 200_000),
    ),
    "a float past its range": (InvalidReason.NUMBER_OUT_OF_RANGE, with_raw("data.metadata.ratio", "1e400")),
    "a count with a fraction": (InvalidReason.BAD_FIELD, with_raw("data.retryCount", "1.0")),
    "metadata one level too deep": (
        InvalidReason.TOO_DEEP,
        with_raw("data.metadata", nested(MAX_NESTING + 1)),
    ),
    "lists one level too deep": (
        InvalidReason.TOO_DEEP,
        with_raw("data.previewData.title", "[" * MAX_NESTING + "]" * MAX_NESTING),
    ),
    "metadata 5,000 levels deep": (InvalidReason.TOO_DEEP, with_raw("data.metadata", nested(5_000))),
    "metadata 20,000 levels deep": (InvalidReason.TOO_DEEP, with_raw("data.metadata", nested(20_000))),
    "20,000 levels that never close": (
        InvalidReason.TOO_DEEP,
        with_raw("subject", nested(20_000, close=False)),
    ),
    "an unknown attribute 20,000 levels deep": (
        InvalidReason.TOO_DEEP,
        with_raw("tracestate", nested(20_000)),
    ),
    "an index key over 2.7 kB": (
        InvalidReason.BAD_FIELD,
        with_raw("data.sources", json.dumps(["S" * 2_800])),
    ),
    "a job id over 100 characters": (InvalidReason.BAD_FIELD, with_raw("data.jobId", json.dumps("j" * 101))),
    "an empty job id": (InvalidReason.BAD_FIELD, with_raw("data.jobId", '""')),
    "an operation over 100 characters": (
        InvalidReason.BAD_FIELD,
        with_raw("data.operation", json.dumps("o" * 101)),
    ),
    "51 sources": (InvalidReason.BAD_FIELD, with_raw("data.sources", json.dumps(["S"] * 51))),
    "501 fields enriched": (
        InvalidReason.BAD_FIELD,
        with_raw("data.fieldsEnriched", json.dumps(["f"] * 501)),
    ),
    "a status outside the list": (InvalidReason.BAD_FIELD, with_raw("data.status", '"DONE"')),
    "a status in lower case": (InvalidReason.BAD_FIELD, with_raw("data.status", '"success"')),
    "an entity id that is no UUID": (InvalidReason.BAD_FIELD, with_raw("data.entityId", '"42"')),
    "a null entity id of a creation": (InvalidReason.BAD_FIELD, with_raw("data.entityId", "null")),
    "metadata that is a list": (InvalidReason.BAD_FIELD, with_raw("data.metadata", "[]")),
    "no operation": (InvalidReason.BAD_FIELD, without("data.operation")),
    "an unknown type": (InvalidReason.UNKNOWN_TYPE, with_raw("type", '"llamalog.entity-deleted.v1"')),
    "an unknown version": (InvalidReason.UNKNOWN_TYPE, with_raw("type", '"llamalog.entity-created.v2"')),
    "a type that is no text": (InvalidReason.UNKNOWN_TYPE, with_raw("type", "1")),
    "a command's type among events": (
        InvalidReason.UNKNOWN_TYPE,
        with_raw("type", '"llamalog.recompute-roots.v1"'),
    ),
    "no type": (InvalidReason.NO_TYPE, without("type")),
    "an unknown field": (InvalidReason.UNKNOWN_FIELD, with_raw("data.albumID", '"x"')),
    "a field named like a complaint": (
        InvalidReason.UNKNOWN_FIELD,
        with_raw("data.required field `type` out of range - at `$", "1"),
    ),
    "a category in the data": (InvalidReason.UNKNOWN_FIELD, with_raw("data.category", '"CREATED"')),
    "no id": (InvalidReason.BAD_ENVELOPE, without("id")),
    "an empty id": (InvalidReason.BAD_ENVELOPE, with_raw("id", '""')),
    "an id over 1,000 characters": (InvalidReason.BAD_ENVELOPE, with_raw("id", json.dumps("i" * 1_001))),
    "no source": (InvalidReason.BAD_ENVELOPE, without("source")),
    "no data": (InvalidReason.BAD_ENVELOPE, without("data")),
    "data in base 64": (InvalidReason.BAD_ENVELOPE, without("data")[:-1] + b', "data_base64": "e30="}'),
    "another specversion": (InvalidReason.BAD_ENVELOPE, with_raw("specversion", '"0.3"')),
    "no time": (InvalidReason.BAD_ENVELOPE, without("time")),
    "a naive time": (InvalidReason.BAD_TIME, with_raw("time", '"2026-02-10T10:30:00.123"')),
    "a time that is a number": (InvalidReason.BAD_TIME, with_raw("time", "1770719400")),
    "a leap second": (InvalidReason.BAD_TIME, with_raw("time", '"2016-12-31T23:59:60Z"')),
    "the year 9999": (InvalidReason.BAD_TIME, with_raw("time", '"9999-12-31T23:59:59Z"')),
    "past the year 9999": (InvalidReason.BAD_TIME, with_raw("time", '"9999-12-31T23:59:59.9999999-14:00"')),
    "the year 1": (InvalidReason.BAD_TIME, with_raw("time", '"0001-01-01T00:00:00+14:00"')),
    "the last moment of 1969": (InvalidReason.BAD_TIME, with_raw("time", '"1969-12-31T23:59:59.9999999Z"')),
    "1970 by the producer's clock only": (
        InvalidReason.BAD_TIME,
        with_raw("time", '"1970-01-01T00:30:00+01:00"'),
    ),
    "2099 by the producer's clock only": (
        InvalidReason.BAD_TIME,
        with_raw("time", '"2099-12-31T23:30:00-01:00"'),
    ),
    "a job that is its own parent": (
        InvalidReason.SELF_PARENT,
        with_raw("data.parentJobId", json.dumps(FULL.structured["data"]["jobId"])),
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_with_its_reason(kind: str) -> None:
    reason, value = BAD[kind]
    with pytest.raises(InvalidMessageError) as refusal:
        decode_event(value)
    assert refusal.value.reason is reason
    assert refusal.value.sentence


# Judged by its bytes alone none of these is bad: what they mean, the service finds out.
FINE: dict[str, bytes] = {
    "a clock that runs ahead": with_raw("time", '"2099-12-31T23:59:59Z"'),
    "a value of 256 KiB": GOOD + b" " * (MAX_VALUE_BYTES - len(GOOD)),
    "a declared root that is the job itself": with_raw(
        "data.rootJobId", json.dumps(FULL.structured["data"]["jobId"])
    ),
    r"an escaped backslash before u0000": with_raw("data.reason", r'"\\u0000"'),
    "brackets by the thousand in a text": with_raw("data.reason", json.dumps('\\"[{' * 5_000)),
    "a thousand small objects": with_raw("data.metadata.tags", json.dumps([{"a": []}] * 1_000)),
    "an unknown attribute as deep as may be": with_raw("tracestate", nested(MAX_MESSAGE_NESTING - 1)),
    "metadata as deep as may be": with_raw("data.metadata", nested(MAX_NESTING)),
    "an unknown attribute of 200k digits": with_raw("tracestate", "1" * 200_000),
}


@pytest.mark.parametrize("kind", FINE)
def test_what_only_looks_bad_is_accepted(kind: str) -> None:
    assert decode_event(FINE[kind])


def test_every_reason_has_an_example() -> None:
    shown = {reason for reason, _ in BAD.values()}
    assert shown | {InvalidReason.BAD_HEADER} == set(InvalidReason)


def verdict(value: bytes) -> InvalidReason | None:
    try:
        decode_event(value)
    except InvalidMessageError as invalid:
        return invalid.reason
    return None


@pytest.mark.parametrize("place", ["subject", "tracestate", "data.metadata", "data.unknown"])
def test_validity_does_not_depend_on_the_depth_of_the_callers_stack(place: str) -> None:
    def deeper(calls: int, value: bytes) -> InvalidReason | None:
        return verdict(value) if calls == 0 else deeper(calls - 1, value)

    room = sys.getrecursionlimit() // 2
    for levels in range(300, 1_000, 100):
        value = with_raw(place, nested(levels))
        assert deeper(0, value) == deeper(room - 200, value)
