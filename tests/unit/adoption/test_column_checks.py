"""Columns of an existing table that PostgreSQL's builds without ICU cannot have, and that are refused."""

from types import SimpleNamespace
from typing import cast

from llamalog_service.adoption.column_checks import column_problems
from llamalog_service.adoption.schema_inspector import ExistingColumn, SchemaInspector


def test_a_collation_by_which_different_names_are_equal_is_refused() -> None:
    def column(*, is_deterministic: bool) -> ExistingColumn:
        return ExistingColumn("text", True, None, None, "text", False, is_deterministic)

    columns = {
        "job_id": column(is_deterministic=False),
        "parent_job_id": column(is_deterministic=True),
        "note_of_the_owner": column(is_deterministic=False),
    }
    found = cast("SchemaInspector", SimpleNamespace(table="enrichment_logs", columns=columns, rules=()))
    (problem,) = column_problems(found)
    assert problem.startswith("enrichment_logs.job_id has a collation by which different texts are equal")
