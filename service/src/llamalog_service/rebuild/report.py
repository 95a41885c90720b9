"""The report of a rebuild, as commands print it and encode it."""

from msgspec import Struct

from llamalog_service.rebuild.comparison import Differences, Side


class RebuildReport(Struct, frozen=True, rename="camel", kw_only=True):
    """A rebuild compared with the live table as of `positions`, the next offsets by partition.

    Attributes:
        duplicates: events whose id was there already.
        contested: ids with several contents; of `contested_kept_live` of them the live table holds another
            than an empty one would get.
        overrides_read: messages of the topic of overrides; those of entity events are `messages`.
        unsourced_rows, unsourced_overrides: without an event, and copied from the live table.
        overrides_differing: overrides that the live table lacks, or holds otherwise.
        repaired: rows that were repaired, and found as they are to be afterwards; None: without `--repair`.
        deleted: of these the extra ones; `restored` of them were inserted again, since their events came
            during the repair.
        unrepaired: rows that still differ, since PostgreSQL refuses, drops or changes what is written.
        refusals: the reasons, by row, of the first of them.
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
    overrides_read: int
    overrides_differing: int
    unsourced_rows: int
    unsourced_overrides: int
    seconds: float = 0.0
    repaired: int | None = None
    deleted: int = 0
    restored: int = 0
    unrepaired: int = 0
    refusals: dict[str, str] = {}
    loaded: bool = False
    republished: int | None = None
