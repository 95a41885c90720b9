"""What a rebuild found, for people and for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from llamalog_service.log.eventless_rows import Eventless
from llamalog_service.rebuild.comparison import Chosen, Side
from llamalog_service.rebuild.shadow import Read

NONE: Final = Eventless(0, 0)


class Differences(Struct, frozen=True, rename="camel"):
    """Differing rows in numbers; `by_column` of those that are on both sides."""

    missing: int
    extra: int
    different: int
    by_column: dict[str, int]
    corrected_meanwhile: int

    @property
    def rows(self) -> int:
        """All of them but those that live traffic was about to correct."""
        return self.missing + self.extra + self.different


class RebuildReport(Struct, frozen=True, rename="camel", kw_only=True):
    """A rebuild held against the live table, as of `positions` (the next offset, by partition).

    Attributes:
        repetitions: events told again.
        contested: ids under which several contents were told; of `contested_kept_as_live` of them the
            live table keeps another than an empty one would get.
        rows_as_they_stand, overrides_as_they_stand: without an event, and taken as they stand.
        overrides_differing: overrides that are not in the live table, or are otherwise.
        mended: rows repaired; None: no repair was asked for.
        filled: whether the live table was empty, and was filled.
        republished: rows told to others again in the end; None: that was not asked for.
    """

    topic: str
    positions: dict[str, int]
    messages: int
    dead_letters: int
    tombstones: int
    repetitions: int
    contested: int
    contested_kept_as_live: int
    live: Side
    rebuilt: Side
    differences: Differences
    overrides_differing: int
    rows_as_they_stand: int
    overrides_as_they_stand: int
    seconds: float = 0.0
    mended: int | None = None
    filled: bool = False
    republished: int | None = None


def report_of(
    *,
    topic: str,
    read: Read,
    chosen: Chosen,
    overrides: int,
    sides: tuple[Side, Side],
    summary: Sequence[Mapping[str, Any]],
    mended: bool,
    as_they_stand: Eventless = NONE,
) -> RebuildReport:
    """Put together what was counted on the way."""
    live, rebuilt = sides
    return RebuildReport(
        topic=topic,
        positions={str(partition): at for partition, at in sorted(read.next_offsets.items())},
        messages=read.messages,
        dead_letters=read.dead_letters,
        tombstones=read.tombstones,
        repetitions=chosen.repetitions,
        contested=chosen.contested,
        contested_kept_as_live=chosen.kept_as_live,
        live=live,
        rebuilt=rebuilt,
        differences=differences_of(summary),
        overrides_differing=overrides,
        rows_as_they_stand=as_they_stand.rows,
        overrides_as_they_stand=as_they_stand.overrides,
        mended=differences_of(summary).rows if mended else None,
    )


def differences_of(summary: Iterable[Mapping[str, Any]]) -> Differences:
    """Put together what the store counted."""
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
