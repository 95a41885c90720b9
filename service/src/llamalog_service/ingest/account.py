"""A batch in numbers, for whoever measures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from llamalog_schemas.events import Category
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent
from llamalog_service.ingest.decode import Decoded
from llamalog_service.ingest.novelty import Novelty
from llamalog_service.measures import EventKind, Verdict

_NO_TYPE = "unknown"
_category = attrgetter("category")
_origin = attrgetter("origin")
_parent_conflict = attrgetter("parent_conflict")
_declared = attrgetter("declared_root_job_id")


def what_became_of(
    decoded: Decoded, novelty: Novelty, new: Mapping[Category, int]
) -> Mapping[EventKind, int]:
    """Every message of a batch by type and verdict.

    A conflict is a dead letter too, and counted once: as a conflict, whose type is known.

    Args:
        new: the new rows by category.
    """
    conflicting = by_category(novelty.conflicting)
    counts: Counter[EventKind] = Counter()
    for category, rows in by_category(decoded.rows).items():
        recorded, conflicts = new.get(category, 0), conflicting[category]
        _count(counts, category, "recorded", recorded)
        _count(counts, category, "conflict", conflicts)
        _count(counts, category, "duplicate", rows - recorded - conflicts)
    for letter in decoded.letters:
        counts[EventKind(_NO_TYPE, "dead-lettered", letter.verdict.reason)] += 1
    for decree in decoded.decrees:
        decreed = "root-adopted" if decree.adopted else "root-adoption-revoked"
        counts[EventKind(decreed, "decree")] += 1
    if decoded.tombstones:
        counts[EventKind(_NO_TYPE, "tombstone")] = decoded.tombstones
    return counts


def what_was_recorded(
    rows: Sequence[RowContent], roots: Sequence[Root]
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


def by_category(rows: Iterable[RowContent]) -> Counter[Category]:
    """Rows counted."""
    return Counter(map(_category, rows))


def _count(counts: Counter[EventKind], category: Category, verdict: Verdict, times: int) -> None:
    if times:
        counts[EventKind(f"entity-{category.lower()}", verdict)] = times
