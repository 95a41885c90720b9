"""docs/contract.md, the data: each test bears its rule's number."""

import pytest

from contract.variations import FULL, Change, accepted, nest, refused, row_of, value_of
from llamalog_schemas import (
    EntityType,
    InvalidReason,
    Status,
)


@pytest.mark.parametrize("name", ["operation", "status", "entityType", "entityId"])
def test_d1_a_field_is_required(name: str) -> None:
    assert refused(value_of(without=name)) == InvalidReason.BAD_FIELD
    failure = value_of(without=name, type="llamalog.entity-failed.v1")
    if name == "entityId":
        assert row_of(failure).entity_id is None
    else:
        assert refused(failure) == InvalidReason.BAD_FIELD


OPTIONAL = sorted(set(FULL["data"]) - {"operation", "status", "entityType", "entityId"})


@pytest.mark.parametrize("name", OPTIONAL)
def test_d2_null_is_equivalent_to_absence(name: str) -> None:
    absent = row_of(value_of(without=name))
    if name in ("sources", "fieldsEnriched"):
        assert row_of(value_of({name: []})) == absent
        assert refused(value_of({name: None})) == InvalidReason.BAD_FIELD
    else:
        assert row_of(value_of({name: None})) == absent


@pytest.mark.parametrize("name", ["albumID", "job_id", "category", "isRootJob", "note", ""])
def test_d3_an_unknown_field_is_refused(name: str) -> None:
    assert refused(value_of({name: None})) == InvalidReason.UNKNOWN_FIELD


LONGEST = {"operation": 100, "jobId": 100, "parentJobId": 100, "rootJobId": 100}
LONGEST |= {"errorCode": 50, "triggeredBy": 50, "userId": 255}


@pytest.mark.parametrize("name", LONGEST)
def test_d4_a_text_is_bounded_in_characters(name: str) -> None:
    assert accepted(value_of({name: "🦙" * LONGEST[name]}))
    assert refused(value_of({name: "x" * (LONGEST[name] + 1)})) == InvalidReason.BAD_FIELD
    assert refused(value_of({name: ""})) == InvalidReason.BAD_FIELD


@pytest.mark.parametrize("name", ["reason", "errorMessage"])
def test_d4_a_free_text_is_as_long_as_the_value_may_be(name: str) -> None:
    assert accepted(value_of({name: "x" * 250_000}))


@pytest.mark.parametrize(
    ("name", "items", "characters"), [("sources", 50, 100), ("fieldsEnriched", 500, 200)]
)
def test_d5_a_list_is_bounded_in_items_and_their_length(name: str, items: int, characters: int) -> None:
    assert accepted(value_of({name: ["x" * characters] * items}))
    assert refused(value_of({name: ["x"] * (items + 1)})) == InvalidReason.BAD_FIELD
    assert refused(value_of({name: ["x" * (characters + 1)]})) == InvalidReason.BAD_FIELD
    assert refused(value_of({name: [""]})) == InvalidReason.BAD_FIELD


def test_d6_closed_lists_are_closed_and_in_upper_case() -> None:
    quality = ("LOW", "MEDIUM", "HIGH")
    for name, words in {
        "entityType": tuple(EntityType),
        "status": tuple(Status),
        "dataQualityBefore": quality,
        "dataQualityAfter": quality,
    }.items():
        for word in words:
            assert accepted(value_of({name: word}))
            assert refused(value_of({name: word.lower()})) == InvalidReason.BAD_FIELD
        assert refused(value_of({name: "OTHER"})) == InvalidReason.BAD_FIELD


@pytest.mark.parametrize("name", ["retryCount", "durationMs", "apiCallCount"])
def test_d7_a_count_is_an_integer_of_31_bits(name: str) -> None:
    assert accepted(value_of({name: 0}))
    assert accepted(value_of({name: 2_147_483_647}))
    for bad in (-1, 2_147_483_648):
        assert refused(value_of({name: bad})) == InvalidReason.NUMBER_OUT_OF_RANGE
    for not_an_integer in (1.0, "1", True):
        assert refused(value_of({name: not_an_integer})) == InvalidReason.BAD_FIELD


@pytest.mark.parametrize("name", ["entityId", "albumId", "artistId", "trackId"])
def test_d8_a_uuid_is_hexadecimal_in_either_case_with_dashes_or_without(name: str) -> None:
    plain = row_of(value_of())
    written = FULL["data"][name]
    assert row_of(value_of({name: written.upper()})) == plain
    assert row_of(value_of({name: written.replace("-", "")})) == plain
    for bad in (f"{{{written}}}", f"urn:uuid:{written}", written[:-1], "42", ""):
        assert refused(value_of({name: bad})) == InvalidReason.BAD_FIELD


@pytest.mark.parametrize("name", ["metadata", "previewData"])
def test_d9_free_objects_are_bounded_in_depth_and_numbers(name: str) -> None:
    for good in (nest(64), {"n": [2**63 - 1, -(2**63), 1.5e308, 0.1]}):
        assert accepted(value_of({name: good}))
    assert refused(value_of({name: nest(65)})) == InvalidReason.TOO_DEEP
    for bad in (2**63, -(2**63) - 1, 10**30):
        assert refused(value_of({name: {"n": [bad]}})) == InvalidReason.NUMBER_OUT_OF_RANGE
    past_a_double = value_of({name: {"n": 12321}}).replace(b"12321", b"1e309")
    assert refused(past_a_double) == InvalidReason.NUMBER_OUT_OF_RANGE
    for no_object in ("text", 1, ["a"]):
        assert refused(value_of({name: no_object})) == InvalidReason.BAD_FIELD


NUL_IN = [
    {"reason": "a\0"},
    {"operation": "\0"},
    {"jobId": "\0"},
    {"sources": ["\0"]},
    {"fieldsEnriched": ["a", "\0"]},
    {"metadata": {"a": [{"b": "\0"}]}},
    {"previewData": {"\0": 1}},
]


@pytest.mark.parametrize("data", NUL_IN, ids=lambda data: next(iter(data)))
def test_d10_no_text_holds_nul(data: Change) -> None:
    assert refused(value_of(data)) == InvalidReason.NUL_CHARACTER


def test_d10_neither_id_nor_source_holds_nul() -> None:
    assert refused(value_of(id="\0")) == InvalidReason.NUL_CHARACTER
    assert refused(value_of(source="\0")) == InvalidReason.NUL_CHARACTER
    assert accepted(value_of({"reason": "\\u0000"}))


def test_d11_no_job_is_its_own_parent() -> None:
    assert refused(value_of({"jobId": "a", "parentJobId": "a"})) == InvalidReason.SELF_PARENT
    assert accepted(value_of({"jobId": "a", "parentJobId": "A"}))
