"""docs/contract.md, value, envelope and how the contract changes: each test bears its rule's number."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from contract import test_published_schemas as published
from contract.golden_payloads import load
from contract.old_versions import REGISTRY
from contract.variations import FULL, accepted, nest, record, refused, row_of, value_of
from llamalog_schemas import (
    EntityCreated,
    Headers,
    InvalidMessageError,
    InvalidReason,
    RowEvent,
    decode_backfill_event,
    decode_event,
    decode_provenance,
    encode_event_binary,
    is_erased,
    is_override,
    is_retraction,
    user_digest,
)
from llamalog_service.ingest.batch import decode_batch
from llamalog_service.kafka.dead_letters import TOO_LARGE
from llamalog_service.kafka.record_batches import CutValue
from llamalog_tools.contract_export.files import SCHEMAS
from llamalog_tools.schema_compat.check import compare_with_published

IGNORED_MARKS: tuple[Any, ...] = (False, "false", "yes", 1, None, {"a": []}, [10**400])
HERE = Path(__file__).parent
USER_ERASED = "llamalog.user-erased.v1"
DOCUMENT = HERE.parents[1] / "docs" / "contract.md"


def test_the_document_and_the_tests_name_the_same_rules() -> None:
    stated = re.findall(r"^- \*\*([A-Z]\d+)\*\*", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_rules_of_*.py"))
    tested = {rule.upper() for rule in re.findall(r"^(?:async )?def test_([a-z]\d+)_", tests, re.MULTILINE)}
    assert len(stated) == len(set(stated))
    assert set(stated) == tested  # both ways: no rule without a test, no test of a rule that is gone


def test_v4_a_record_too_large_once_it_is_decompressed_is_refused_unread() -> None:
    cut = record(CutValue.of(value_of(), 5_000_000))
    (rejected,) = decode_batch([cut]).rejected
    assert rejected.verdict.reason == TOO_LARGE
    assert "5000000 bytes" in rejected.verdict.sentence


def test_v1_a_value_has_a_byte_to_256_kib_and_a_tombstone_is_skipped() -> None:
    value = value_of()
    assert accepted(value.ljust(262_144))
    assert refused(value.ljust(262_145)) == InvalidReason.TOO_LARGE
    assert refused(b"") == InvalidReason.EMPTY
    batch = decode_batch([record(None), record(value)])
    assert (batch.tombstones, len(batch.rows), batch.rejected) == (1, 1, [])


def test_v2_a_value_is_json_in_utf8() -> None:
    assert accepted(value_of({"reason": "déjà vu 🦙"}))
    assert refused(b"\xef\xbb\xbf" + value_of()) == InvalidReason.NOT_JSON
    assert refused(value_of({"reason": "\ud800"})) == InvalidReason.NOT_JSON
    assert refused(value_of({"metadata": {"n": float("nan")}})) == InvalidReason.NOT_JSON
    assert refused(value_of().decode().encode("utf-16")) == InvalidReason.NOT_UTF8


def test_v3_a_value_nests_400_levels_deep_at_most() -> None:
    assert accepted(value_of(tracestate=nest(399)))
    assert refused(value_of(tracestate=nest(400))) == InvalidReason.TOO_DEEP


def test_e1_both_modes_are_read_and_distinguished() -> None:
    event = decode_event(value_of())
    value, headers = encode_event_binary(event)
    assert accepted(value, headers) == event
    assert accepted(value_of(), [("content-type", b"application/cloudevents+json")]) == event
    assert accepted(value_of(), [("content-type", b"application/json"), ("ce_id", b"x")]) == event
    both = [*headers, ("content-type", b"application/cloudevents+json")]
    assert accepted(value_of(), both) == event


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time", "data"])
def test_e2_an_attribute_is_required(name: str) -> None:
    missing = InvalidReason.NO_TYPE if name == "type" else InvalidReason.BAD_ENVELOPE
    assert refused(value_of(without=name)) == missing


@pytest.mark.parametrize("name", ["id", "source"])
def test_e2_an_attribute_is_bounded(name: str) -> None:
    longest, longer, empty = ({name: text} for text in ("é" * 1_000, "é" * 1_001, ""))
    assert accepted(json.dumps(FULL | longest).encode())
    assert refused(json.dumps(FULL | longer).encode()) == InvalidReason.BAD_ENVELOPE
    assert refused(json.dumps(FULL | empty).encode()) == InvalidReason.BAD_ENVELOPE
    assert refused(value_of(specversion="1.1")) == InvalidReason.BAD_ENVELOPE


def test_e3_a_time_has_a_zone_and_lies_in_1970_to_2099() -> None:
    for good in ("1970-01-01T00:00:00Z", "1969-12-31T23:00:00-01:00", "2099-12-31T23:59:59.999Z"):
        assert accepted(value_of(time=good))
    for bad in (
        "2026-02-10T10:30:00",
        "2026-02-10",
        "10 Feb 2026 10:30:00 GMT",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "2100-01-01T00:00:00Z",
        "2099-12-31T23:59:59-01:00",
    ):
        assert refused(value_of(time=bad)) == InvalidReason.BAD_TIME


def test_e4_a_time_is_recorded_in_utc_cut_to_the_millisecond() -> None:
    for written in ("2026-02-10T12:30:00.123999+02:00", "2026-02-10T10:30:00.1239999999Z"):
        assert row_of(value_of(time=written)).created_at.isoformat() == "2026-02-10T10:30:00.123000"
    assert row_of(value_of(time="2026-02-10T10:30:00.9999999Z")).created_at.second == 0


def test_e5_a_type_is_one_of_ours() -> None:
    override = {"jobId": "j", "reason": "r", "requestedBy": "u"}
    for kind in ("created", "linked", "enriched", "corrected", "cached", "failed"):
        assert accepted(value_of(type=f"llamalog.entity-{kind}.v1"))
    for kind in ("root-adopted", "root-adoption-revoked"):
        message = FULL | {"type": f"llamalog.{kind}.v1", "data": override}
        assert is_override(accepted(json.dumps(message).encode()))
    erasure = {"userDigest": user_digest("u"), "reason": "r", "requestedBy": "u"}
    assert is_override(accepted(json.dumps(FULL | {"type": USER_ERASED, "data": erasure}).encode()))
    for bad in ("llamalog.entity-created.v2", "llamalog.entity-created", "LLAMALOG.ENTITY-CREATED.V1", "x"):
        assert refused(value_of(type=bad)) == InvalidReason.UNKNOWN_TYPE


def test_e6_subject_extension_attributes_and_other_headers_are_opaque() -> None:
    plain = row_of(value_of())
    assert row_of(value_of(subject=[1, {"a": None}])) == plain
    assert row_of(value_of(tracestate={"x": [1]}, dataschema=7, flag=True)) == plain
    assert row_of(value_of(), [("ce_tracestate", b"\xff"), ("retries", None)]) == plain


def test_e7_an_event_without_its_user_may_be_marked_as_erased() -> None:
    without_user = {"userId": None}
    value, headers = value_of(without_user, llamalogerased=True), [("ce_llamalogerased", b"true")]
    assert is_erased(row_event(value))
    binary, own = encode_event_binary(row_event(value))
    assert is_erased(row_event(binary, [*own, *headers]))
    for ignored in IGNORED_MARKS:
        assert not is_erased(row_event(value_of(without_user, llamalogerased=ignored)))
    assert not is_erased(row_event(value_of({"userId": "7c1f"}, llamalogerased=True)))


def test_e8_an_erasure_names_a_digest_and_a_bounded_number_of_keys() -> None:
    good = {"userDigest": user_digest("7c1f"), "metadataKeys": ["k"] * 100, "reason": "r", "requestedBy": "u"}
    assert user_digest("7c1f") == hashlib.sha256(b"llamalog-user:7c1f").hexdigest()
    assert accepted(_erasure(good | {"metadataKeys": ["é" * 200]}))
    assert accepted(_erasure(good))
    for bad in (
        {"userDigest": "7c1f"},
        {"userDigest": user_digest("7c1f").upper()},
        {"metadataKeys": ["k"] * 101},
        {"metadataKeys": ["k" * 201]},
        {"metadataKeys": [""]},
        {"metadataKeys": None},
        {"requestedBy": ""},
    ):
        assert refused(_erasure(good | bad)) == InvalidReason.BAD_FIELD
    assert refused(_erasure(good | {"userId": "7c1f"})) == InvalidReason.UNKNOWN_FIELD


def test_e9_a_retraction_names_a_row_by_its_id() -> None:
    good = {"rowId": "0199a1b2-c3d4-7e5f-8a6b-000000000001", "reason": "r", "requestedBy": "u"}
    for kind in ("event-retracted", "event-retraction-revoked"):
        type_ = f"llamalog.{kind}.v1"
        assert is_retraction(accepted(json.dumps(FULL | {"type": type_, "data": good}).encode()))
        for bad in ({"rowId": "7c1f"}, {"rowId": None}, {"reason": None}, {"requestedBy": ""}):
            message = json.dumps(FULL | {"type": type_, "data": good | bad}).encode()
            assert refused(message) == InvalidReason.BAD_FIELD
        unknown = json.dumps(FULL | {"type": type_, "data": good | {"eventId": "x"}}).encode()
        assert refused(unknown) == InvalidReason.UNKNOWN_FIELD


def _erasure(data: dict[str, Any]) -> bytes:
    return json.dumps(FULL | {"type": USER_ERASED, "data": data}).encode()


def row_event(value: bytes, headers: Headers = ()) -> RowEvent:
    event = accepted(value, list(headers))
    assert not is_override(event)
    return event


def test_c1_every_version_is_held_by_a_copy_of_what_was_published() -> None:
    assert {path.name for path in (SCHEMAS / "json").iterdir()} == set(published.PUBLISHED)
    assert compare_with_published()[1] == []


def test_c2_readers_of_the_services_messages_ignore_unknown_fields() -> None:
    provenance = load("provenance-recorded/v1/with-a-later-field")
    progress = load("backfill-progressed/v1/with-a-later-field")
    assert "newerField" in provenance.structured["data"]
    assert "newerField" in progress.structured["data"]
    assert decode_provenance(provenance.value)
    assert decode_backfill_event(progress.value)


def test_c3_an_old_version_is_read_as_the_latest_and_judged_by_both() -> None:
    value = {"entity": "ALBUM", "entityId": FULL["data"]["entityId"], "what": "album:created", "worked": True}
    old = FULL | {"type": "llamalog.entity-created.v0"}
    assert isinstance(decode_event(json.dumps(old | {"data": value}).encode(), (), REGISTRY), EntityCreated)
    for bad in (value | {"operation": "album:created"}, value | {"what": ""}):
        with pytest.raises(InvalidMessageError):
            decode_event(json.dumps(old | {"data": bad}).encode(), (), REGISTRY)
