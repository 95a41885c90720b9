"""What a rebuild is given: where it reads and writes, and what is asked of it."""

from collections.abc import Callable
from typing import NamedTuple

from llamalog_service.postgres.locks import RebuildLock
from llamalog_service.rebuild.comparison import ComparisonStore, Only
from llamalog_service.rebuild.enum_labels import EnumLabelStore
from llamalog_service.rebuild.initial_load import InitialLoadStore
from llamalog_service.rebuild.live_table import LiveTable
from llamalog_service.rebuild.shadow import ShadowStore


class Stores(NamedTuple):
    """What a rebuild reads and writes; `filling` None: an empty live table stays empty."""

    lock: RebuildLock
    live: LiveTable
    shadow: ShadowStore
    comparisons: ComparisonStore
    words: EnumLabelStore
    filling: InitialLoadStore | None = None


class Asked(NamedTuple):
    """What is to be rebuilt, and what is to become of it.

    Attributes:
        only: the rows to compare; all are rebuilt, since roots follow from all.
        discard: drop the leftovers of another rebuild first.
        allow_unsourced: take live rows and overrides without an event as they stand, rather than refuse.
        add_words: let the live table's enums hold the words that legacy rows bear.
        max_deletes: a repair that would remove more rows, because nobody told them, is refused.
        settle_seconds: how long to wait for live traffic to come to roots that its last events change.
        archive_only: what is read is not what the consumer goes on with: fill an empty live table, note no
            positions in it, and refuse one that is not empty.
        note: gets every difference as a line of JSON.
        noted: called once it has got all, before anything is refused for them, mended or filled.
    """

    only: Only = Only()
    discard: bool = False
    allow_unsourced: bool = False
    add_words: bool = False
    max_deletes: int = 100
    settle_seconds: float = 10.0
    archive_only: bool = False
    note: Callable[[str], None] = lambda _: None
    noted: Callable[[], None] = lambda: None
