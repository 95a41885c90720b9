"""Messages without the data of erased persons: what changes, and what stays byte for byte."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from aiokafka import ConsumerRecord
from msgspec.structs import replace

from histories import event
from llamalog_schemas.codec import STRUCTURED_HEADERS, Headers, decode_event, encode, encode_event_binary
from llamalog_schemas.events import EntityCreated, user_digest
from llamalog_service.domain.erasures import Erasure, Erasures, erased_event
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.dead_letters import (
    RejectedRecord,
    dead_letter_message,
    erase_dead_letter,
    parse_dead_letter,
)
from llamalog_service.kafka.erasing import MessageEraser

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
ADA = Erasures().with_all([Erasure(UUID(int=1), user_digest("ada"), ("mail",), "their request", "op", NOON)])
ERASER = MessageEraser(ADA)


def said_by(user: str | None) -> EntityCreated:
    one = event(7, "job-7")
    assert isinstance(one, EntityCreated)
    metadata = {"mail": "ada@example.org", "kept": 1}
    return replace(one, data=replace(one.data, user_id=user, metadata=metadata))


def test_an_event_becomes_what_the_fold_makes_of_it() -> None:
    value, headers = ERASER.message(encode(said_by("ada")), STRUCTURED_HEADERS)
    assert value is not None
    assert headers == STRUCTURED_HEADERS
    assert decode_event(value, headers) == erased_event(said_by("ada"), ADA)
    assert b"ada@" not in value
    assert b'"ada"' not in value
    assert ERASER.message(value, headers) == (value, headers)


def test_an_event_in_binary_mode_stays_in_binary_mode() -> None:
    value, headers = encode_event_binary(said_by("ada"))
    given: Headers = [*headers, ("other", b"kept")]
    erased, marked = ERASER.message(value, given)
    assert erased is not None
    assert marked[: len(given)] == given
    assert decode_event(erased, marked) == erased_event(said_by("ada"), ADA)
    assert b"ada@" not in erased
    assert b'"ada"' not in erased
    assert ERASER.message(erased, marked) == (erased, marked)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        encode(said_by("bob")),
        encode(said_by(None)),
        b" " + encode(said_by("bob")),
        b'{"data": {"userId": "adaline"}}',
        b'{"userId": "bob", broken ada',
        b"\xff\x00",
        b'"\\ud800"',
        b"[" * 5000,
    ],
)
def test_what_names_no_erased_person_stays_byte_for_byte(value: bytes | None) -> None:
    assert ERASER.message(value, STRUCTURED_HEADERS) == (value, STRUCTURED_HEADERS)


@pytest.mark.parametrize(
    ("value", "erased"),
    [
        (b'{"data": {"userId": "ada", "n": 1}}', b'{"data":{"userId":"(erased)","n":1}}'),
        (b'{"data": ["\\u0061da", {"ada": null}]}', b'{"data":["(erased)",{"(erased)":null}]}'),
        (b'{"data": {"userId": "ada", broken', b'{"data": {"userId": "(erased)", broken'),
        (b'{"userId": "\\u0061da", \xff "ada', b'{"userId": "(erased)", \xff "ada'),
        (b"[" * 5000 + b'"ada"', b"[" * 5000 + b'"(erased)"'),
    ],
)
def test_of_what_the_contract_refuses_each_text_that_is_the_id_is_replaced(
    value: bytes, erased: bytes
) -> None:
    assert ERASER.message(value, STRUCTURED_HEADERS)[0] == erased


@pytest.mark.parametrize("value", [b'{"data": {"userId": 7, "year": 7}}', b'{"data": {"userId": 7, broken'])
def test_a_number_that_equals_the_id_of_an_erased_person_stays(value: bytes) -> None:
    seven = Erasure(UUID(int=1), user_digest("7"), (), "their request", "op", NOON)
    eraser = MessageEraser(Erasures().with_all([seven]))
    assert eraser.message(value, STRUCTURED_HEADERS) == (value, STRUCTURED_HEADERS)
    assert eraser.message(b'{"data": {"userId": "7"}}', STRUCTURED_HEADERS)[0] == (
        b'{"data":{"userId":"(erased)"}}'
    )


def test_an_override_among_entity_events_names_no_erased_person_afterwards() -> None:
    forged = {
        "id": str(UUID(int=3)),
        "source": "/forged",
        "specversion": "1.0",
        "type": "llamalog.root-adopted.v1",
        "time": "2026-02-10T12:00:00Z",
        "data": {"jobId": "j", "reason": "r", "requestedBy": "ada"},
    }
    value, _ = ERASER.message(msgspec.json.encode(forged), STRUCTURED_HEADERS)
    assert value is not None
    assert b"ada" not in value.replace(b"root-adopted", b"")


def record_of(value: bytes) -> ConsumerRecord:
    message = dead_letter_message(
        RejectedRecord(
            ConsumerRecord(
                "llamalog.entity-events", 0, 5, 0, 0, b"k", value, None, 1, len(value), (("h", b"1"),)
            ),
            DeadLetter("bad-field", "the value ada is not allowed"),
        )
    )
    return ConsumerRecord(
        "llamalog.dead-letters", 0, 9, 0, 0, message.key, message.value, None, 1, 1, tuple(message.headers)
    )


def test_a_dead_letter_keeps_its_reason_and_coordinates_and_loses_a_sentence_that_may_quote() -> None:
    message = erase_dead_letter(ERASER, record_of(b'{"data": {"userId": "ada"}}'))
    assert b"ada" not in (message.value or b"")
    headers = dict(message.headers)
    assert headers["llamalog-error"] == b"(erased)"
    assert (headers["h"], headers["llamalog-reason"], headers["llamalog-offset"]) == (
        b"1",
        b"bad-field",
        b"5",
    )
    again = ConsumerRecord("t", 0, 9, 0, 0, message.key, message.value, None, 1, 1, tuple(message.headers))
    assert parse_dead_letter(again).came_from == parse_dead_letter(record_of(b"")).came_from


def test_a_dead_letter_of_another_person_stays_as_it_is() -> None:
    record = record_of(b'{"data": {"userId": "bob"}}')
    message = erase_dead_letter(ERASER, record)
    assert (message.key, message.value, tuple(message.headers)) == (record.key, record.value, record.headers)
