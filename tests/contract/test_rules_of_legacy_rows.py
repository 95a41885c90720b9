"""docs/contract.md, legacy rows: each test bears its rule's number."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from contract.golden_payloads import load
from contract.variations import record, refused, value_of
from llamalog_schemas import InvalidReason, LegacyRow, decode_event, is_legacy_row, lineage_key
from llamalog_schemas.codec import encode_event_binary
from llamalog_schemas.legacy import LATEST_MOMENT, event_time_of, parse_moment
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME, MAX_LEGACY_ROW_BYTES, MAX_VALUE_BYTES
from llamalog_service.domain.legacy import LegacyContent, legacy_content_of
from llamalog_service.ingest.batch import classify, decode_batch

MINIMAL = load("legacy-row/v1/minimal").structured
FULL = load("legacy-row/v1/full").structured


def legacy(data: dict[str, Any] | None = None, base: dict[str, Any] = MINIMAL, **attributes: Any) -> bytes:
    return json.dumps(base | attributes | {"data": base["data"] | (data or {})}).encode()


def accepted(value: bytes) -> LegacyRow:
    event = decode_event(value)
    assert is_legacy_row(event)
    return event


def test_v1_a_legacy_row_may_be_larger_than_any_other_event_up_to_a_limit_of_its_own() -> None:
    frame = len(legacy({"reason": ""}))
    accepted(legacy({"reason": "x" * (MAX_LEGACY_ROW_BYTES - frame)}))
    assert refused(legacy({"reason": "x" * (MAX_LEGACY_ROW_BYTES - frame + 1)})) is InvalidReason.TOO_LARGE
    disguised = value_of({"reason": "llamalog.legacy-row.v1" + "x" * MAX_VALUE_BYTES})
    assert refused(disguised) is InvalidReason.TOO_LARGE
    value, headers = encode_event_binary(decode_event(value_of()))
    large, with_note = value + b" " * MAX_VALUE_BYTES, [*headers, ("note", b"llamalog.legacy-row.v1")]
    assert refused(large, with_note) is InvalidReason.TOO_LARGE


@pytest.mark.parametrize("id_", ["row-1", MINIMAL["id"].replace("-", ""), MINIMAL["id"] + "0"])
def test_l1_the_id_is_the_rows(id_: str) -> None:
    assert refused(legacy(id=id_)) is InvalidReason.BAD_ENVELOPE
    assert str(legacy_content_of(accepted(legacy(id=MINIMAL["id"].upper()))).id) == MINIMAL["id"]


def test_l2_a_column_may_hold_values_that_no_entity_event_may_have() -> None:
    odd = {
        "status": "",
        "metadata": "[" * 3000 + "]" * 3000,
        "retryCount": "-99999999999999999999",
        "jobId": "",
        "parentJobId": "",
    }
    content = legacy_content_of(accepted(legacy(odd)))
    assert content.columns["metadata"] == odd["metadata"]
    assert content.columns["retry_count"] == odd["retryCount"]
    assert "reason" not in content.columns
    assert "reviewScore" not in legacy_content_of(accepted(legacy(base=FULL))).columns


@pytest.mark.parametrize("field", ["operation", "category", "status", "createdAt"])
def test_l2_four_columns_are_required_and_unknown_fields_are_refused(field: str) -> None:
    data = {name: value for name, value in MINIMAL["data"].items() if name != field}
    assert refused(json.dumps(MINIMAL | {"data": data}).encode()) is InvalidReason.BAD_FIELD
    assert refused(legacy({field + "s": "x"})) is InvalidReason.UNKNOWN_FIELD
    assert refused(legacy({field: "a\0"})) in (InvalidReason.NUL_CHARACTER, InvalidReason.BAD_FIELD)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01 10:30:00.123", "2024-05-01T10:30:00.123000"),
        ("2024-02-29 10:30:00+00", "2024-02-29T10:30:00"),
        ("infinity", LATEST_MOMENT.isoformat()),
        ("-infinity", "0001-01-01T00:00:00"),
        ("0044-03-15 12:00:00 BC", "0001-01-01T00:00:00"),
        ("12026-01-01 00:00:00", LATEST_MOMENT.isoformat()),
        ("9999-12-31 23:59:59.999999", LATEST_MOMENT.isoformat()),
    ],
)
def test_l3_a_time_of_any_year_is_carried_and_sorted_as_near_as_possible(text: str, moment: str) -> None:
    content = legacy_content_of(accepted(legacy({"createdAt": text})))
    assert (content.created_at.isoformat(), content.columns["created_at"]) == (moment, text)
    assert EARLIEST_TIME <= event_time_of(parse_moment(text)) < LATEST_TIME


@pytest.mark.parametrize(
    "text", ["yesterday", "2023-02-29 00:00:00", "2024-05-01T10:30:00", "2024-05-01 10:30:00+02"]
)
def test_l3_what_is_no_time_in_utc_is_refused(text: str) -> None:
    assert refused(legacy({"createdAt": text})) is InvalidReason.BAD_FIELD


def test_l4_the_parent_of_a_row_that_calls_itself_a_root_job_is_overruled() -> None:
    lineage = {"jobId": "job", "parentJobId": "parent"}
    assert legacy_content_of(accepted(legacy(lineage))).parent_job_id == "parent"
    content = legacy_content_of(accepted(legacy(lineage | {"isRootJob": "true"})))
    assert (content.parent_job_id, content.overruled.parent_job_id) == (None, "parent")
    assert "parent_job_id" not in content.columns


class NothingStands:
    async def json_equal(self, one: Any, other: Any) -> bool:
        raise AssertionError("there is no other entity event")

    async def legacy_equal(self, rows: Sequence[LegacyContent]) -> list[bool]:
        raise AssertionError("no row is in the table")


async def test_l5_under_a_legacy_rows_id_other_events_are_duplicates_and_other_legacy_events_conflicts() -> (
    None
):
    messages = [legacy(), legacy(), value_of(id=MINIMAL["id"]), legacy({"reason": "another"})]
    classified = await classify(decode_batch([record(value) for value in messages]), {}, NothingStands())
    assert (len(classified.new), classified.duplicates, len(classified.rejected)) == (1, 2, 1)


def test_l6_the_key_is_the_first_name_that_is_not_empty() -> None:
    assert lineage_key(accepted(legacy(base=FULL))) == b"declared"
    assert lineage_key(accepted(legacy({"jobId": "", "entityId": "e"}))) == b"e"
    assert lineage_key(accepted(legacy())) == MINIMAL["id"].encode()
