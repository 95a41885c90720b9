"""A batch in numbers, for whoever metrics."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import Content
from llamalog_service.ingest.decode import DecodedBatch
from llamalog_service.ingest.deduplication import ClassifiedBatch
from llamalog_service.telemetry.metrics import EventKind, Verdict

_NO_TYPE = "unknown"
_LEGACY_ROW = "legacy-row"
_category = attrgetter("category")
_origin = attrgetter("origin")
_parent_conflict = attrgetter("parent_conflict")
_declared = attrgetter("declared_root_job_id")


def what_became_of(decoded: DecodedBatch, classified: ClassifiedBatch) -> Mapping[EventKind, int]:
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
        counts[EventKind(_NO_TYPE, "dead-lettered", record.verdict.reason)] += 1
    for override in decoded.overrides:
        kind = "root-adopted" if override.adopted else "root-adoption-revoked"
        counts[EventKind(kind, "override")] += 1
    if decoded.tombstones:
        counts[EventKind(_NO_TYPE, "tombstone")] = decoded.tombstones
    return counts


def what_was_recorded(
    rows: Sequence[Content], roots: Sequence[Root]
) -> tuple[Mapping[Origin, int], int, int]:
    """New rows by origin, those that claim another parent, and those whose declared root is not the root."""
    declared = list(map(_declared, rows))
    disagreeing = 0
    if any(declared):
        disagreeing = sum(
            said is not None and root.root_job_id is not None and said != root.root_job_id
            for said, root in zip(declared, roots, strict=True)
        )
    return Counter(map(_origin, roots)), sum(map(_parent_conflict, roots)), disagreeing


def by_category(rows: Iterable[Content]) -> Counter[str]:
    """Rows counted; a legacy row may bear any word."""
    return Counter(map(_category, rows))


def _by_type(rows: Sequence[Content]) -> Counter[str]:
    """Rows counted by the type of the event that told them."""
    legacy = sum(type(row) is LegacyContent for row in rows)
    if legacy:
        rows = [row for row in rows if type(row) is not LegacyContent]
    counts = Counter({f"entity-{category.lower()}": times for category, times in by_category(rows).items()})
    return counts + Counter({_LEGACY_ROW: legacy})


def _count(counts: Counter[EventKind], type_: str, verdict: Verdict, times: int) -> None:
    if times:
        counts[EventKind(type_, verdict)] = times
