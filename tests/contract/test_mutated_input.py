"""For any bytes, decoding returns an event or raises InvalidMessageError; it never fails otherwise."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contract.mutations import headers_, mutated, reshaped
from llamalog_schemas import (
    CloudEvent,
    InvalidMessageError,
    decode_command,
    decode_event,
    decode_provenance,
    encode,
    encode_event_binary,
    is_override,
    lineage_key,
    row_id,
)
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import content_of
from llamalog_tools.contract_export.json_schemas import MODELS, schema_of

pytestmark = pytest.mark.slow

VALIDATORS = {str(model.__struct_config__.tag): Draft202012Validator(schema_of(model)) for model in MODELS}


def judge_every_way(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    try:
        event = decode_event(value, headers)
    except InvalidMessageError as invalid:
        assert invalid.sentence
    else:
        assert len(str(row_id(event))) == 36
        assert lineage_key(event)
        assert decode_event(encode(event)) == event
        if event.subject is None or isinstance(event.subject, str):
            assert decode_event(*encode_event_binary(event)) == event
        if not is_override(event):
            content = content_of(event)
            assert isinstance(content, LegacyContent) or content.created_at.microsecond % 1000 == 0
    for decode in (decode_command, decode_provenance):
        try:
            message: CloudEvent = decode(value)
        except InvalidMessageError as invalid:
            assert invalid.sentence
        else:
            assert decode(encode(message)) == message


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_a_mutated_message_is_an_event_or_is_refused(message: tuple[bytes, Any]) -> None:
    judge_every_way(*message)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), headers_)
@example(b"[" * 200_000, [])
@example(b'"\\' * 100_000, [])
def test_random_bytes_are_refused(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    judge_every_way(value, headers)


@settings(max_examples=600, deadline=None)
@given(reshaped())
def test_what_decodes_validates_against_the_published_schema(value: bytes) -> None:
    judge_every_way(value, [])
    try:
        event = decode_event(value)
    except InvalidMessageError:
        return
    VALIDATORS[str(type(event).__struct_config__.tag)].validate(json.loads(value))
