"""A batch counted, for metrics and the log."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import structlog

from llamalog_schemas.events import Category
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.overrides import Override, RootOverride
from llamalog_service.domain.retractions import Retraction
from llamalog_service.domain.rows import Content
from llamalog_service.ingest.batch import ClassifiedBatch, DecodedBatch
from llamalog_service.telemetry.metrics import EventKind, Verdict

_LOGGER = "llamalog.consumer"
_log = structlog.get_logger(_LOGGER)

_UNKNOWN_TYPE = "unknown"
_LEGACY_ROW = "legacy-row"
_category = attrgetter("category")
_origin = attrgetter("origin")
_parent_conflict = attrgetter("parent_conflict")
_declared = attrgetter("declared_root_job_id")


class BatchOutcome(NamedTuple):
    """A batch counted in messages; those recorded by category."""

    recorded: Mapping[str, int]
    duplicates: int
    dead_letters: int
    tombstones: int
    stale_jobs_found: int


def count_events(decoded: DecodedBatch, classified: ClassifiedBatch) -> Mapping[EventKind, int]:
    """Every message of a batch by type and verdict.

    A conflict is a dead letter too, and counted once: as a conflict, whose type is known.
    """
    new, conflicting = _by_type(classified.new), _by_type(classified.conflicting)
    counts: Counter[EventKind] = Counter()
    for type_, rows in _by_type(decoded.rows).items():
        recorded, conflicts = new[type_], conflicting[type_]
        _count(counts, type_, "recorded", recorded)
        _count(counts, type_, "conflict", conflicts)
        _count(counts, type_, "duplicate", rows - recorded - conflicts)
    for record in decoded.rejected:
        counts[EventKind(_UNKNOWN_TYPE, "dead-lettered", record.verdict.reason)] += 1
    for override in decoded.overrides:
        counts[EventKind(_type_of(override), "override")] += 1
    if decoded.tombstones:
        counts[EventKind(_UNKNOWN_TYPE, "tombstone")] = decoded.tombstones
    return counts


def _type_of(override: Override) -> str:
    """The type of the event that states an override, without prefix and version."""
    if isinstance(override, RootOverride):
        return "root-adopted" if override.adopted else "root-adoption-revoked"
    if isinstance(override, Retraction):
        return "event-retracted" if override.retracted else "event-retraction-revoked"
    return "user-erased"


def count_roots(rows: Sequence[Content], roots: Sequence[Root]) -> tuple[Mapping[Origin, int], int, int]:
    """New rows by origin, those that claim another parent, and those whose declared root is not the root."""
    declared = list(map(_declared, rows))
    disagreeing = 0
    if any(declared):
        disagreeing = sum(
            named is not None and root.root_job_id is not None and named != root.root_job_id
            for named, root in zip(declared, roots, strict=True)
        )
    return Counter(map(_origin, roots)), sum(map(_parent_conflict, roots)), disagreeing


def count_categories(rows: Iterable[Content]) -> Counter[str]:
    """Rows by category; a legacy row may bear any text."""
    return Counter(map(_category, rows))


def log_batch(outcome: BatchOutcome, rows: Sequence[Content], roots: Sequence[Root]) -> None:
    """Log one line for the batch, counts of zero left out, and at level debug one for each new row.

    Args:
        rows: the new rows.
        roots: theirs first, in step.
    """
    counts = {name: count for name, count in outcome._asdict().items() if count and name != "recorded"}
    categories = {category: count for category in Category if (count := outcome.recorded.get(category))}
    _log.info("recorded", rows=len(rows), categories=categories, **counts)
    if not logging.getLogger(_LOGGER).isEnabledFor(logging.DEBUG):
        return
    for row, root in zip(rows, roots, strict=False):
        fields = {
            "operation": row.operation,
            "entity": f"{row.entity_type}/{row.entity_id}" if row.entity_type and row.entity_id else None,
            "job": row.job_id,
            "parent": row.parent_job_id,
            "root": root.root_job_id,
            "error_code": row.error_code,
        }
        present = {name: value for name, value in fields.items() if value is not None}
        _log.debug("row", category=row.category, id=str(row.id), **present, origin=root.origin)


def _by_type(rows: Sequence[Content]) -> Counter[str]:
    """Rows by the type of the event that states them."""
    legacy = sum(type(row) is LegacyContent for row in rows)
    if legacy:
        rows = [row for row in rows if type(row) is not LegacyContent]
    counts = Counter(
        {f"entity-{category.lower()}": times for category, times in count_categories(rows).items()}
    )
    return counts + Counter({_LEGACY_ROW: legacy})


def _count(counts: Counter[EventKind], type_: str, verdict: Verdict, times: int) -> None:
    if times:
        counts[EventKind(type_, verdict)] = times
