"""What PostgreSQL answers on the hot path, in the words of the domain."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import Root, Statement
from llamalog_service.domain.roots import UNSEEN, JobFacts, Standing
from llamalog_service.domain.rows import RowContent, StoredRow

_CONTENT_WIDTH = len(RowContent.__struct_fields__)


def stored_row(record: Mapping[str, Any]) -> StoredRow:
    """A row as `rows_by_id` selects it: content, root, revision, time, whether it is legacy, in that order.

    What a legacy row holds may be more than its types say: words that no enum of the contract knows,
    JSON that is no object, texts that are NULL.
    """
    values = list(record.values())
    content = RowContent(*values[:_CONTENT_WIDTH])
    content = replace(
        content,
        sources=_texts(content.sources),
        fields_enriched=_texts(content.fields_enriched),
        is_root_job=bool(content.is_root_job),
    )
    root_job_id, origin, cycle_members, parent_conflict, *others = values[_CONTENT_WIDTH:]
    members = tuple(cycle_members) if cycle_members is not None else None
    return StoredRow(content, Root(root_job_id, origin, members, parent_conflict), *others)


def job_facts(record: Mapping[str, Any]) -> JobFacts:
    """What the table says about a job, as the query of that name selects it."""
    if not record["is_seen"]:
        return replace(UNSEEN, standing=Standing(record["job"], Origin.ADOPTED))
    declaration = _statement(record, "declared")
    return JobFacts(True, _statement(record, "claim"), declaration, _standing(record, declaration))


def _statement(record: Mapping[str, Any], prefix: str) -> Statement | None:
    row = record[f"{prefix}_row"]
    return None if row is None else Statement(record[f"{prefix}_time"], row, record[f"{prefix}_named"])


def _standing(record: Mapping[str, Any], declaration: Statement | None) -> Standing:
    """Where the walk from a seen job ends, by one of its rows; a row not settled yet counts as pending."""
    match record["origin"]:
        case "ROOT" | "RESOLVED":
            return Standing(record["root_job_id"], Origin.RESOLVED)
        case "ADOPTED":
            return Standing(record["root_job_id"], Origin.ADOPTED)
        case "CYCLE":
            return Standing(None, Origin.CYCLE, tuple(record["cycle_members"] or ()))
        case None:  # nobody has looked at it: a root that another program computed is no declaration
            return Standing(None, Origin.PENDING)
        case _:
            root = declaration.named if declaration else record["root_job_id"]
            return Standing(root, Origin.PENDING if root is None else Origin.DECLARED)


def _texts(value: Any) -> tuple[str, ...]:
    """A text[] of any dimension, in one."""
    texts = tuple(value or ())
    while texts and isinstance(texts[0], list):
        texts = tuple(text for inner in texts for text in inner)
    return texts
