"""What a rebuild looks at before it reads anything."""

from collections.abc import Mapping

from llamalog_service.domain.errors import PositionPastEndError
from llamalog_service.kafka.topic_history import Span
from llamalog_service.rebuild.enum_labels import Missing
from llamalog_service.rebuild.errors import (
    ArchiveAloneError,
    BeginningGoneError,
    NoPositionsError,
    TooManyRemovalsError,
    UnknownWordsError,
)


def refuse_lost_beginning(topic: str, spans: Mapping[int, Span]) -> None:
    """A rebuild from what is left would lack rows.

    Raises:
        BeginningGoneError: some partition begins later than with its first message.
    """
    gone = {partition: span.first for partition, span in spans.items() if span.first > 0}
    if gone:
        raise BeginningGoneError(topic, gone)


def refuse_archive_only(*, is_empty: bool) -> None:
    """An archive without its topic can't tell what a live table holds since.

    Raises:
        ArchiveAloneError: it holds something.
    """
    if not is_empty:
        raise ArchiveAloneError


def refuse_positions(topic: str, group: str, ends: Mapping[int, int], spans: Mapping[int, Span]) -> None:
    """A topic can't tell what lies behind its end.

    Args:
        ends: up to where the live table's rows come from the topic, by partition.

    Raises:
        NoPositionsError: nowhere; every row would be one that nobody told.
        PositionPastEndError: that is further than the topic goes.
    """
    if not ends:
        raise NoPositionsError(topic, group)
    for partition, end in ends.items():
        last = spans[partition].end if partition in spans else 0
        if end > last:
            raise PositionPastEndError(
                f"{topic}, partition {partition}: the live table has recorded up to offset {end}, the "
                f"partition ends at {last}. The topic was probably deleted and created again: it can't tell "
                "what the table holds. Nothing was done. Restore the topic."
            )


def refuse_many_removals(extra: int, most: int) -> None:
    """Rows that nobody told are forged, or what the rebuild reads is not what made the table.

    Raises:
        TooManyRemovalsError: there are more of them than a repair may remove.
    """
    if extra > most:
        raise TooManyRemovalsError(extra, most)


def refuse_words(missing: Missing) -> None:
    """A table that is filled lacks no row.

    Raises:
        UnknownWordsError: some bear words that no column can hold.
    """
    if missing:
        raise UnknownWordsError(missing)
