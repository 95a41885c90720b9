"""Why a rebuild is refused; nothing was changed where one of these is raised."""

from collections.abc import Sequence
from uuid import UUID

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.rebuild.enum_labels import Missing
from llamalog_service.rebuild.shadow import SCHEMA, About


class RebuildRefusedError(LlamalogError):
    """The base of every refusal."""


class RebuildUnderWayError(RebuildRefusedError):
    """Another rebuild works on this database."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"Another rebuild is under way ({holder}). Nothing was done: there is one at a time. "
            "Wait for its end, or stop it."
        )


class LeftoversError(RebuildRefusedError):
    """A rebuild of another kind was interrupted, or somebody else's schema has the shadow's name."""

    def __init__(self, about: About | None) -> None:
        what = (
            "llamalog did not make it, or a crash came in between"
            if about is None
            else f"begun {about.begun_at:%Y-%m-%d %H:%M} by {about.begun_by}, of {about.topic} "
            f"from {about.source}, format {about.format}"
        )
        super().__init__(
            f"The schema {SCHEMA} holds the leftovers of another rebuild ({what}): this one can't go on "
            "with them. Nothing was done. If nobody needs them, drop them and begin anew: add --discard."
        )
        self.about = about


class BeginningGoneError(RebuildRefusedError):
    """Retention has removed the beginning of the topic."""

    def __init__(self, topic: str, firsts: dict[int, int]) -> None:
        told = ", ".join(f"partition {partition} begins at {first:,}" for partition, first in firsts.items())
        super().__init__(
            f"The beginning of {topic} is gone ({told}): Kafka's retention has removed it, or somebody "
            "deleted it. A rebuild from what is left would lack rows, so nothing was done. If there is an "
            "archive that holds the beginning, name it with --from-file; if not, the live table may be all "
            "that holds them: keep it. See `llamalog topics check` for the retention."
        )
        self.firsts = firsts


class ArchiveAloneError(RebuildRefusedError):
    """An archive alone is to be read beside a live table that holds something."""

    def __init__(self) -> None:
        super().__init__(
            "The live table is not empty, and an archive alone does not tell what came into it since. "
            "Nothing was done. --archive-only fills an empty database; leave it out to compare, or name "
            "another database."
        )


class CompactedError(RebuildRefusedError):
    """The topic keeps one message of those that share a key."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"{topic} is compacted: of the events that share a key Kafka keeps the last one, so that others "
            "may be gone already. Nothing was done. See `llamalog topics check`."
        )


class EventlessRowsError(RebuildRefusedError):
    """Live rows, or overrides, are not in the topic because they were there before it."""

    def __init__(self, rows: int, overrides: int, some: Sequence[UUID]) -> None:
        named = ", ".join(map(str, some)) + (", …" if rows > len(some) else "")
        super().__init__(
            f"{rows:,} rows and {overrides:,} overrides of the live table have no event: they were there "
            "before the topic was, or a backfill made them. A rebuild would lack them: nothing was changed. "
            "Publish them with `llamalog publish-legacy`, let the consumer read that, and run the same "
            "command again; what was read so far is kept. Those that no event can hold (that command names "
            f"them) are taken as they stand with --allow-unsourced.{f' The rows: {named}.' if some else ''}"
        )
        self.rows = rows
        self.overrides = overrides


class NoPositionsError(RebuildRefusedError):
    """It is not known up to where the live table's rows come from the topic."""

    def __init__(self, topic: str, group: str) -> None:
        super().__init__(
            f"The live table holds rows, and no position of the consumer group {group} in {topic}: it is not "
            "known which of the topic's events they come from, and every row would be called extra. Nothing "
            "was done. Look at LLAMALOG_CONSUMER_GROUP and LLAMALOG_TOPIC_PREFIX; if they are right, let "
            "the consumer read the topic first, which writes nothing twice."
        )


class TooManyRemovalsError(RebuildRefusedError):
    """A repair would remove more rows than it may."""

    def __init__(self, extra: int, most: int) -> None:
        super().__init__(
            f"{extra:,} rows of the live table are in no event: a repair would remove them, and {most:,} are "
            "allowed. Nothing was changed; the file of differences names each of them. If another program "
            "wrote them, leave them; if they are to go, add --max-deletes with their number."
        )
        self.extra = extra


class UnknownWordsError(RebuildRefusedError):
    """Legacy rows bear words that the enums of an empty table lack."""

    def __init__(self, missing: Missing) -> None:
        told = "; ".join(f"{column}: {', '.join(sorted(words))}" for column, words in sorted(missing.items()))
        super().__init__(
            f"Legacy rows bear words that the log's enums lack ({told}). The live table would lack these "
            "rows, so it was left empty. If the words are right, add --add-enum-labels, which needs the "
            "right of the enums' owner; what was read is kept, and the command goes on."
        )
        self.missing = missing
