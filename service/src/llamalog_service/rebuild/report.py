"""The report of a rebuild."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from llamalog_service.rebuild.comparison import NONE_UNSOURCED, Duplicates, Side, Unsourced
from llamalog_service.rebuild.shadow import ReadProgress


class Differences(Struct, frozen=True, rename="camel"):
    """Counts of differing rows; `by_column` of those that are on both sides."""

    missing: int
    extra: int
    different: int
    by_column: dict[str, int]
    corrected_meanwhile: int

    @property
    def rows(self) -> int:
        """All but those that live traffic has corrected meanwhile."""
        return self.missing + self.extra + self.different


class RebuildReport(Struct, frozen=True, rename="camel", kw_only=True):
    """A rebuild compared with the live table as of `positions`, the next offsets by partition.

    Attributes:
        duplicates: events whose id was there already.
        contested: ids with several contents; of `contested_kept_live` of them the live table holds another
            than an empty one would get.
        unsourced_rows, unsourced_overrides: without an event, and copied from the live table.
        overrides_differing: overrides that the live table lacks, or holds otherwise.
        repaired: rows repaired; None: without `--repair`.
        loaded: whether the live table was empty and was loaded.
        republished: rows republished afterwards; None: without `--republish`.
    """

    topic: str
    positions: dict[str, int]
    messages: int
    dead_letters: int
    tombstones: int
    duplicates: int
    contested: int
    contested_kept_live: int
    live: Side
    rebuilt: Side
    differences: Differences
    overrides_differing: int
    unsourced_rows: int
    unsourced_overrides: int
    seconds: float = 0.0
    repaired: int | None = None
    loaded: bool = False
    republished: int | None = None


def report_of(
    *,
    topic: str,
    read: ReadProgress,
    duplicates: Duplicates,
    sides: tuple[Side, Side],
    overrides_differing: int = 0,
    summary: Sequence[Mapping[str, Any]] = (),
    unsourced: Unsourced = NONE_UNSOURCED,
    is_repaired: bool = False,
    is_loaded: bool = False,
) -> RebuildReport:
    """The report of a rebuild from its counts."""
    live, rebuilt = sides
    differences = differences_of(summary)
    return RebuildReport(
        topic=topic,
        positions={str(partition): at for partition, at in sorted(read.next_offsets.items())},
        messages=read.messages,
        dead_letters=read.dead_letters,
        tombstones=read.tombstones,
        duplicates=duplicates.removed,
        contested=duplicates.contested,
        contested_kept_live=duplicates.contested_kept_live,
        live=live,
        rebuilt=rebuilt,
        differences=differences,
        overrides_differing=overrides_differing,
        unsourced_rows=unsourced.rows,
        unsourced_overrides=unsourced.overrides,
        repaired=differences.rows if is_repaired else None,
        loaded=is_loaded,
    )


def differences_of(summary: Iterable[Mapping[str, Any]]) -> Differences:
    """The counts of a comparison's summary, as `ComparisonStore.summary` selects it."""
    kinds = {"missing": 0, "extra": 0, "different": 0}
    by_column: dict[str, int] = {}
    corrected = 0
    for record in summary:
        if record["column"] is not None:
            if not record["corrected"]:
                by_column[record["column"]] = record["rows"]
        elif record["corrected"]:
            corrected += record["rows"]
        else:
            kinds[record["kind"]] = record["rows"]
    return Differences(**kinds, by_column=by_column, corrected_meanwhile=corrected)
