"""The compiled kernels of messages give byte for byte what their counterparts in Python give."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from harness.hostile_rows import CONTENTS, ROOTS, texts
from llamalog_schemas.codec import decode_provenance
from llamalog_service import kernels
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.kafka.publisher import encode_provenance, provenance_message
from llamalog_service.kafka.record_batches import CutValue, marks_of

compiled = kernels.compiled or pytest.skip(
    "the kernels are not compiled: `make test-compiled`", allow_module_level=True
)

UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck))
"""On a busy machine rows are drawn slowly."""

RECORDED_AT = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))]))
REVISIONS = st.one_of(st.integers(1, 2**31 - 1), st.just(1))


@UNHURRIED
@given(CONTENTS, ROOTS, REVISIONS, RECORDED_AT)
def test_a_record_is_the_encoders(content: RowContent, root: Root, revision: int, at: datetime) -> None:
    stored = StoredRow(content, root, revision, at, erased=revision % 2 == 0)
    assert compiled.provenance(stored) == encode_provenance(stored)


LABELS = st.one_of(st.none(), texts(20))
TEXTS = st.lists(st.one_of(st.none(), texts(9)), max_size=3).map(tuple)
ANY_JSON = st.one_of(
    st.none(), st.just([]), st.just("text"), st.just(0), st.just(False), st.just([{"a": None}])
)


@UNHURRIED
@given(CONTENTS, ROOTS, RECORDED_AT, st.data())
def test_so_is_that_of_a_row_which_another_program_wrote(
    content: RowContent, root: Root, at: datetime, data: st.DataObject
) -> None:
    """Its labels are in no enum, lists hold NULL, JSON is no object, and its time has microseconds."""
    written = replace(
        content,
        **{name: data.draw(LABELS) for name in ("entity_type", "operation", "category", "status")},
        data_quality_after=data.draw(LABELS),
        sources=data.draw(TEXTS),
        fields_enriched=data.draw(TEXTS),
        metadata=data.draw(ANY_JSON),
        preview_data=data.draw(ANY_JSON),
        retry_count=data.draw(st.integers(-(2**31), -1)),
        created_at=data.draw(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999))),
    )
    stored = StoredRow(written, replace(root, origin=data.draw(LABELS)), 1, at, is_legacy=True)
    assert compiled.provenance(stored) == encode_provenance(stored)


@UNHURRIED
@given(CONTENTS, ROOTS)
def test_json_that_no_reader_could_decode_is_omitted_and_named(content: RowContent, root: Root) -> None:
    stored = StoredRow(replace(content, metadata=Raw(b"{}")), root, 1, datetime.now(UTC))
    value = provenance_message(stored).value
    assert value is not None
    assert decode_provenance(value).data.omitted == ("metadata",)


@UNHURRIED
@given(CONTENTS, ROOTS)
def test_a_record_that_fails_leaves_nothing_to_the_next_one(content: RowContent, root: Root) -> None:
    stored = StoredRow(content, root, 1, datetime.now(UTC))
    with pytest.raises(TypeError):
        compiled.provenance(replace(stored, content=replace(content, preview_data={"": object()})))
    assert compiled.provenance(stored) == encode_provenance(stored)


@UNHURRIED
@given(
    st.binary(max_size=2_000) | st.text('{}[]:,"x').map(str.encode) | st.integers(0, 700).map(b",[".__mul__)
)
def test_the_marks_of_a_message_are_counted_alike(value: bytes) -> None:
    assert compiled.marks(value) == marks_of(value)
    assert compiled.marks(CutValue(value)) == marks_of(value)
