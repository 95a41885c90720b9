"""The bench's checks notice what is wrong: a check that cannot fail proves nothing."""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import astuple

from bench.backlog import Content, make_backlog
from bench.checks import TableRow, differing_dead_letters, differing_provenance, differing_rows
from llamalog_service.domain.fold import FoldedRow
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.kafka.publisher import provenance_message

ROWS = make_backlog(3).rows
FIRST = next(iter(ROWS))
NOW = datetime(2026, 2, 10, tzinfo=UTC)


def table_of(rows: dict[UUID, FoldedRow]) -> dict[UUID, TableRow]:
    return {row_id: TableRow(astuple(row.content), astuple(row.root), 1) for row_id, row in rows.items()}


def a_dead_letter(content: Content, offset: int = 7, reason: bytes = b"malformed") -> Any:
    key, value, headers = content
    added = {
        "llamalog-reason": reason,
        "llamalog-error": b"It is no JSON.",
        "llamalog-topic": b"llamalog.entity-events",
        "llamalog-partition": b"0",
        "llamalog-offset": str(offset).encode(),
    }
    return SimpleNamespace(key=key, value=value, headers=(*headers, *added.items()))


def test_a_table_that_equals_the_fold_has_no_differences() -> None:
    assert list(differing_rows(ROWS, table_of(ROWS))) == []


def test_a_missing_row_and_one_too_many_are_reported() -> None:
    table = table_of(ROWS)
    table[UUID(int=1)] = table.pop(FIRST)
    assert list(differing_rows(ROWS, table)) == [
        f"row {FIRST} is missing",
        f"row {UUID(int=1)} comes from no valid event",
    ]


@pytest.mark.parametrize("column", ["operation", "metadata", "created_at", "parent_job_id"])
def test_another_content_is_reported_with_its_column(column: str) -> None:
    at = RowContent.__struct_fields__.index(column)
    table = table_of(ROWS)
    content = table[FIRST].content
    table[FIRST] = table[FIRST]._replace(content=(*content[:at], "another", *content[at + 1 :]))
    (line,) = differing_rows(ROWS, table)
    assert line.startswith(f"row {FIRST}: {column} is 'another', the fold has ")


def test_another_root_is_reported() -> None:
    table = table_of(ROWS)
    table[FIRST] = table[FIRST]._replace(root=(None, *table[FIRST].root[1:]))
    (line,) = differing_rows(ROWS, table)
    assert f"row {FIRST}: root_job_id is None" in line


def test_dead_letters_are_compared_byte_for_byte_and_counted_once_a_coordinate() -> None:
    first: Content = (b"key", b"{", (("content-type", b"\xff"),))
    second: Content = (None, b"", ())
    bad = Counter([first, second])
    assert (
        list(
            differing_dead_letters(
                bad, [a_dead_letter(first), a_dead_letter(second, 8), a_dead_letter(second, 8)]
            )
        )
        == []
    )
    assert [line[:18] for line in differing_dead_letters(bad, [a_dead_letter(first)])] == [
        "no dead letter for"
    ]
    changed: Content = (b"key", b"{ ", first[2])
    lines = list(differing_dead_letters(bad, [a_dead_letter(changed), a_dead_letter(second, 8)]))
    assert [line.partition(" (")[0] for line in lines] == [
        "no dead letter for",
        "a dead letter for a good message:",
    ]


def test_a_dead_letter_without_a_reason_is_reported() -> None:
    content: Content = (None, b"{", ())
    assert len(list(differing_dead_letters(Counter([content]), [a_dead_letter(content, reason=b"")]))) == 1


def provenance(revision: int, *, root: FoldedRow) -> bytes:
    row = ROWS[FIRST]
    assert isinstance(row.content, RowContent)
    value = provenance_message(StoredRow(row.content, root.root, revision, NOW)).value
    assert value is not None
    return value


def test_the_highest_published_revision_must_be_the_tables() -> None:
    row = ROWS[FIRST]
    other = next(one for one in ROWS.values() if one.root != row.root)
    table = {FIRST: TableRow(astuple(row.content), astuple(row.root), 2)}
    assert list(differing_provenance(table, [provenance(1, root=other), provenance(2, root=row)])) == []
    assert list(differing_provenance(table, [provenance(2, root=row), provenance(1, root=other)])) == []
    assert len(list(differing_provenance(table, [provenance(1, root=row)]))) == 1
    assert len(list(differing_provenance(table, [provenance(2, root=other)]))) == 1
    assert len(list(differing_provenance(table, []))) == 1
