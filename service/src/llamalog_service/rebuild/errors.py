"""Errors of a rebuild: refusals, before anything was changed, and failures of what it writes to."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from llamalog_service.domain.errors import LlamalogError


class RebuildRefusedError(LlamalogError):
    """A precondition of the rebuild does not hold; nothing was changed."""


class BeginningGoneError(RebuildRefusedError):
    """Retention has removed the beginning of the topic."""

    def __init__(self, topic: str, firsts: Mapping[int, int]) -> None:
        begins = ", ".join(
            f"partition {partition} begins at {first:,}" for partition, first in firsts.items()
        )
        super().__init__(
            f"The beginning of {topic} is gone ({begins}): it was deleted by Kafka's retention or by hand. A "
            "rebuild from the rest would lack rows, so nothing was done. If there is an archive that holds "
            "the beginning, name it with --from-file; if not, the live table may be all that holds these "
            "rows: keep it. See `llamalog topics check` for the retention."
        )
        self.firsts = firsts


class ArchiveOnlyError(RebuildRefusedError):
    """An archive without its topic is to be compared with a live table that holds rows."""

    def __init__(self) -> None:
        super().__init__(
            "The live table is not empty, and an archive alone lacks what was ingested after it was written. "
            "Nothing was done. --archive-only loads an empty database; leave it out to compare, or name "
            "another database."
        )


class UnsourcedRowsError(RebuildRefusedError):
    """Live rows or overrides have no event in the topic."""

    def __init__(self, rows: int, overrides: int, examples: Sequence[UUID]) -> None:
        named = ", ".join(map(str, examples)) + (", …" if rows > len(examples) else "")
        super().__init__(
            f"{rows:,} rows and {overrides:,} overrides of the live table have no event that was read: they "
            "are older than their topic, or a backfill made them. A rebuild would lack them, so nothing was "
            "changed. Publish rows with `llamalog publish-legacy` and overrides with `llamalog overrides "
            "publish`, let the consumer read that, and run the same command again; what was read so far is "
            "kept. Those that no event can hold (these commands name them) are copied from the live table "
            "with --allow-unsourced."
            f"{f' The rows: {named}.' if examples else ''}"
        )
        self.rows = rows
        self.overrides = overrides


class NoPositionsError(RebuildRefusedError):
    """The live table holds rows, but no position of any consumer group in the topic."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"The live table holds rows, and no consumer group has a position in {topic}: it is not known "
            "which of the topic's events they come from, and every row would be called extra. Nothing was "
            "done. Look at LLAMALOG_TOPIC_PREFIX; if it is right, let the consumer read the topic first, "
            "which writes nothing twice."
        )


class RowsPastPositionError(RebuildRefusedError):
    """Live rows come from events past the positions that were recorded with them."""

    def __init__(self, topic: str, examples: Sequence[UUID]) -> None:
        super().__init__(
            f"The live table holds rows of events of {topic} that lie past its recorded positions: the "
            "positions were deleted or set back, or another program inserted the rows. The table cannot be "
            "compared as of these positions, so nothing was changed. Let the consumer read on, which writes "
            "nothing twice, and run the same command again; what was read is kept. "
            f"Some of the rows: {', '.join(map(str, examples))}."
        )


class OtherTopicsError(RebuildRefusedError):
    """Live rows have no event in the topic, and may have one in another that the table has recorded."""

    def __init__(self, topic: str, extra: int, others: Sequence[str]) -> None:
        named = ", ".join(others)
        super().__init__(
            f"{extra:,} rows of the live table are in no event of {topic}, and the table has also recorded "
            f"{named}, whose events they may be: LLAMALOG_TOPIC_PREFIX was another then. Nothing was "
            "changed; what was read is kept. Name the topic that holds all events; or, if this one has those "
            "of the other too, delete that one's rows in consumer_positions, and run the same command again."
        )


class TooManyDeletesError(RebuildRefusedError):
    """A repair would delete more rows than it may."""

    def __init__(self, extra: int, max_deletes: int) -> None:
        super().__init__(
            f"{extra:,} rows of the live table are in no event: a repair would delete them, and "
            f"{max_deletes:,} are allowed. Nothing was changed; the file of differences names each of them. "
            "If another program wrote them, leave them; if they are to go, add --max-deletes with their "
            "number."
        )
        self.extra = extra


class UnknownEnumLabelsError(RebuildRefusedError):
    """Legacy rows hold labels that the enums of an empty table lack."""

    def __init__(self, missing: Mapping[str, Collection[str]]) -> None:
        named = "; ".join(f"{column}: {', '.join(sorted(new))}" for column, new in sorted(missing.items()))
        super().__init__(
            f"Legacy rows hold labels that the log's enums lack ({named}). The live table would lack these "
            "rows, so it was left empty. If the labels are right, add --add-enum-labels, which needs the "
            "right of the enums' owner; what was read is kept, and the command resumes."
        )
        self.missing = missing


class EnumLabelsNotAddedError(LlamalogError):
    """The enums can't be given the labels."""

    def __init__(self, type_: str, reason: str) -> None:
        super().__init__(
            f"The enum {type_} was not given the labels of legacy rows that it lacks: {reason}. Nothing was "
            "written to the log. What was read is kept: remove the cause, and the same command resumes."
        )
        self.type_ = type_


class ShadowLostError(LlamalogError):
    """The shadow no longer holds what was compared."""

    def __init__(self) -> None:
        super().__init__(
            "The shadow is gone: PostgreSQL crashed or failed over, which empties unlogged tables, or its "
            "schema was dropped. Nothing was written since; rows repaired before stay repaired. Run the same "
            "command again: it reads from the beginning."
        )


class TableNotEmptyError(LlamalogError):
    """The live table received rows while the shadow was made."""

    def __init__(self) -> None:
        super().__init__(
            "The live table was empty when the rebuild began, and is not any more: a consumer or another "
            "program has written to it. It was left as it is. Run the same command again: what was read is "
            "kept, and is compared with the table then."
        )
