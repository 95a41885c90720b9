"""The one mapping of the columns of a row: from a record of PostgreSQL, from a provenance record."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from histories import histories
from llamalog_schemas.events import Event
from llamalog_schemas.provenance import Origin, Provenance
from llamalog_service.domain.fold import fold
from llamalog_service.domain.rows import RowContent, StoredRow, stored_row
from llamalog_service.kafka.publisher import provenance_record
from llamalog_service.postgres.statements import expand
from llamalog_service.queries.rows import LeftOut, LogRow, brief_row, log_row, provenance_row

COMPUTED = {"name", "declaration_conflict"}
COPIED = [name for name in LogRow.__struct_fields__ if name not in COMPUTED]
CONVERTED = {"sources", "fields_enriched", "origin", "cycle_members", "metadata"}

AS_TEXT = ("metadata_text", "preview_data_text", "name")
"""What a query selects instead of large JSON."""


def record(**changed: Any) -> dict[str, Any]:
    """A value of its own for every column, so that none can take the place of another."""
    values: dict[str, Any] = {name: object() for name in COPIED if name not in CONVERTED}
    absent = {
        "sources": None,
        "fields_enriched": None,
        "origin": None,
        "cycle_members": None,
        "metadata": None,
        **dict.fromkeys(AS_TEXT),
    }
    return values | absent | changed


@pytest.mark.parametrize("fragment", ["{row}", "{brief}"])
def test_every_field_is_selected_by_the_query_and_is_in_the_provenance_record(fragment: str) -> None:
    selected = set(re.findall(r"(?:l\.|AS )(\w+)(?=,|$)", " ".join(expand(fragment).split())))
    assert set(COPIED) - selected == set()
    assert set(COPIED) - set(Provenance.__struct_fields__) == set()


def test_large_values_are_text_in_a_whole_row_and_left_out_of_a_brief_one() -> None:
    large = log_row(record(metadata_text='{"title": "x"}', name="x" * 201))
    assert (large.metadata, large.name) == (Raw(b'{"title": "x"}'), "x" * 199 + "…")
    left_out = {"metadata_left_out": 70_000, "preview_data_left_out": None, "name": "Lemonade"}
    brief = brief_row(record(**left_out))
    assert (brief.metadata, brief.name) == (LeftOut(70_000), "Lemonade")


def test_every_column_comes_into_the_field_of_its_name() -> None:
    given_values = record()
    row = log_row(given_values)
    assert {
        name
        for name in given_values.keys() - CONVERTED - {*AS_TEXT}
        if getattr(row, name) is not given_values[name]
    } == set()
    assert (row.sources, row.fields_enriched, row.origin, row.cycle_members, row.name) == (
        (),
        (),
        None,
        None,
        None,
    )


@given(
    st.sampled_from(Origin), st.none() | st.text(max_size=3), st.none() | st.text(max_size=3), st.booleans()
)
def test_what_follows_from_several_columns(
    origin: Origin, root: str | None, declared: str | None, retracted: bool
) -> None:
    row = log_row(
        record(
            origin=str(origin),
            root_job_id=root,
            declared_root_job_id=declared,
            retracted=retracted,
            sources=["A", "B"],
            cycle_members=["x", "y"],
            metadata={"title": "", "name": "Nina"},
        )
    )
    assert row.origin is origin
    is_conflict = None not in (root, declared) and root != declared and not retracted
    assert row.declaration_conflict is is_conflict
    assert (row.sources, row.cycle_members, row.name) == (("A", "B"), ("x", "y"), "Nina")


@given(histories())
def test_a_row_is_the_same_from_the_table_and_from_its_provenance_record(events: list[Event]) -> None:
    at = datetime(2026, 2, 10, tzinfo=UTC)
    for content, root, *_ in fold(events).values():
        assert isinstance(content, RowContent)
        stored = StoredRow(content, root, 3, at)
        values: dict[str, Any] = {}
        for part in (content, root):
            values |= {name: getattr(part, name) for name in part.__struct_fields__}
        values |= {"revision": 3, "recorded_at": at, "is_legacy": False, "erased": False, "retracted": False}
        assert stored_row(values) == stored
        from_table = log_row(
            values | dict.fromkeys(AS_TEXT) | {"created_at": content.created_at.replace(tzinfo=UTC)}
        )
        assert provenance_row(provenance_record(stored).data) == from_table
