"""Bad headers and binary mode: what is refused with which reason, and what is no ground for refusal."""

from collections.abc import Callable

import pytest

from contract.golden_payloads import load
from contract.test_bad_input import nested
from llamalog_schemas import (
    InvalidMessageError,
    InvalidReason,
    decode_event,
    encode_event_binary,
)
from llamalog_schemas.limits import MAX_VALUE_BYTES

GOOD = load("entity-created/v1/full").value
EVENT = decode_event(GOOD)

Headers = list[tuple[str, bytes | None]]
VALUE, HEADERS = encode_event_binary(EVENT)


def binary(change: Callable[[dict[str, bytes | None]], object]) -> Headers:
    """The headers of the full golden payload in binary mode, changed."""
    headers: dict[str, bytes | None] = dict(HEADERS)
    change(headers)
    return list(headers.items())


BAD_HEADERS: dict[str, tuple[InvalidReason, Headers]] = {
    "an id that is not UTF-8": (InvalidReason.BAD_HEADER, binary(lambda h: h.update(ce_id=b"\xff"))),
    "a source that is not UTF-8": (InvalidReason.BAD_HEADER, binary(lambda h: h.update(ce_source=b"\xc3"))),
    "a null id": (InvalidReason.BAD_ENVELOPE, binary(lambda h: h.update(ce_id=None))),
    "no source": (InvalidReason.BAD_ENVELOPE, binary(lambda h: h.pop("ce_source"))),
    "a null type": (InvalidReason.NO_TYPE, binary(lambda h: h.update(ce_type=None))),
    "no type": (InvalidReason.NO_TYPE, binary(lambda h: h.pop("ce_type"))),
    "an unknown type": (InvalidReason.UNKNOWN_TYPE, binary(lambda h: h.update(ce_type=b"x"))),
    "a naive time": (InvalidReason.BAD_TIME, binary(lambda h: h.update(ce_time=b"2026-02-10T10:30:00"))),
    "another specversion": (InvalidReason.BAD_ENVELOPE, binary(lambda h: h.update(ce_specversion=b"0.3"))),
    "NUL in the id": (InvalidReason.NUL_CHARACTER, binary(lambda h: h.update(ce_id=b"a\x00"))),
    "structured mode by its content type": (
        InvalidReason.NO_TYPE,
        binary(lambda h: h.update({"content-type": b"application/cloudevents+json"})),
    ),
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_bad_headers_are_refused_with_their_reason(kind: str) -> None:
    reason, headers = BAD_HEADERS[kind]
    with pytest.raises(InvalidMessageError) as refusal:
        decode_event(VALUE, headers)
    assert refusal.value.reason is reason


BAD_BINARY: dict[str, tuple[InvalidReason, bytes]] = {
    "an empty value": (InvalidReason.EMPTY, b""),
    "a value that is no JSON": (InvalidReason.NOT_JSON, VALUE[:-1]),
    "a value that is not UTF-8": (InvalidReason.NOT_UTF8, VALUE.replace(b"So What", b"\xff")),
    "a value over the limit": (InvalidReason.TOO_LARGE, VALUE + b" " * MAX_VALUE_BYTES),
    "a value 20,000 levels deep": (InvalidReason.TOO_DEEP, nested(20_000).encode()),
    "a value that is a list": (InvalidReason.BAD_FIELD, b"[]"),
    "an unknown field": (InvalidReason.UNKNOWN_FIELD, VALUE[:-1] + b', "x": 1}'),
}


@pytest.mark.parametrize("kind", BAD_BINARY)
def test_a_bad_value_in_binary_mode_is_refused_with_its_reason(kind: str) -> None:
    reason, value = BAD_BINARY[kind]
    with pytest.raises(InvalidMessageError) as refusal:
        decode_event(value, HEADERS)
    assert refusal.value.reason is reason


@pytest.mark.parametrize(
    "header",
    [
        ("content-type", b"Application/CloudEvents+JSON; charset=UTF-8"),
        ("content-type", b" APPLICATION/CLOUDEVENTS+JSON"),
        ("Content-Type", b"application/cloudevents+json"),
        ("CONTENT-TYPE", b"application/CLOUDEVENTS"),
    ],
)
def test_the_case_of_a_content_type_does_not_matter(header: tuple[str, bytes]) -> None:
    """Attributes beside a whole event, as a bridge leaves them; the event counts."""
    beside: Headers = [("ce_type", b"x"), ("ce_id", b"another"), header]
    assert decode_event(GOOD, beside) == EVENT
    assert decode_event(GOOD, [header, *beside]) == EVENT


OPAQUE: dict[str, Headers] = {
    "a null header of another program": [("trace", None)],
    "a header of another program that is not UTF-8": [("trace", b"\xff\xfe")],
    "an extension attribute that is not UTF-8": [("ce_tracestate", b"\xff")],
    "the headers of a dead letter": [("llamalog-reason", b"not-json"), ("llamalog-offset", None)],
    "a null content type": [("content-type", None)],
    "a content type of something else": [("content-type", b"application/xml")],
    "a content type that is not UTF-8": [("content-type", b"\xff")],
}


@pytest.mark.parametrize("kind", OPAQUE)
def test_headers_that_are_not_ours_are_no_ground_for_refusal(kind: str) -> None:
    assert decode_event(GOOD, OPAQUE[kind]) == EVENT
    binary_mode: Headers = [header for header in HEADERS if header[0] != "content-type"]
    assert decode_event(VALUE, [*OPAQUE[kind], *binary_mode]) == EVENT
