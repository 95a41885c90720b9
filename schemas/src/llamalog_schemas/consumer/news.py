"""Each row's news once, of records that come at least once and in no order."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from aiokafka import ConsumerRecord

from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.provenance import Provenance

_logger = logging.getLogger("llamalog_schemas.consumer")

DEFAULT_TOPIC = "llamalog.provenance"


class Position(NamedTuple):
    """Where in the topic a reader goes on: the offset is that of the next record to read."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class News:
    """A row that is new, or a correction of what was said of it.

    Attributes:
        row: the row as it stands by this revision; a correction tells it as a whole, too.
        corrects: the revision of it that was handed over before, as far as that is known; None: none.
        next: where to go on once this news is dealt with; keep it with its effect, or `commit`.
    """

    row: Provenance
    corrects: int | None
    next: Position

    @property
    def is_correction(self) -> bool:
        """Whether something else was said of this row before, whoever has heard it."""
        return self.row.revision > 1


class Revisions(Protocol):
    """Knows the highest revision of each row that has been dealt with.

    A reader that keeps them in one transaction with their effect deals with each news exactly once.
    """

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        """The revisions of these rows; rows that were never dealt with are left out."""


class RememberedRevisions:
    """In memory, of the rows heard of last: what is forgotten, or was before a restart, may come again.

    Args:
        rows: how many to remember; a hundred thousand take some 20 MB.
    """

    def __init__(self, rows: int = 100_000) -> None:
        self._limit = rows
        self._known: OrderedDict[UUID, int] = OrderedDict()

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        """The revisions of these rows, as far as they are remembered."""
        return {row: self._known[row] for row in rows if row in self._known}

    def note(self, row: UUID, revision: int) -> None:
        """Remember that a row was dealt with; forget the one not heard of for longest."""
        self._known[row] = max(revision, self._known.get(row, 0))
        self._known.move_to_end(row)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is no provenance record, and was passed over."""

    record: ConsumerRecord
    error: InvalidMessageError


class Sieve:
    """Lets news through, and nothing twice.

    Args:
        revisions: what has been dealt with.
        on_unreadable: is told what is no provenance record; it is logged in any case.
    """

    def __init__(
        self, revisions: Revisions, on_unreadable: Callable[[Unreadable], object] | None = None
    ) -> None:
        self._revisions = revisions
        self._on_unreadable = on_unreadable

    async def news(self, records: Sequence[ConsumerRecord]) -> list[News]:
        """The news in consecutive records of one partition, in their order."""
        rows = list(self._rows(records))
        known = dict(await self._revisions.highest({row.id for _, row in rows}))
        fresh: list[tuple[int, Provenance, int | None]] = []
        for offset, row in rows:
            before = known.get(row.id)
            if before is None or row.revision > before:
                known[row.id] = row.revision
                fresh.append((offset, row, before))
        # What follows a news and is none is dealt with as soon as the news is.
        partition, end = records[-1].partition, records[-1].offset + 1
        following = [offset for offset, _, _ in fresh[1:]] + [end]
        return [
            News(row, before, Position(partition, offset))
            for (_, row, before), offset in zip(fresh, following, strict=False)
        ]

    def note(self, news: News) -> None:
        """Remember that a news was dealt with, where no store of the reader's does."""
        if isinstance(self._revisions, RememberedRevisions):
            self._revisions.note(news.row.id, news.row.revision)

    def _rows(self, records: Sequence[ConsumerRecord]) -> Iterator[tuple[int, Provenance]]:
        for record in records:
            if record.value is None:
                continue
            try:
                yield record.offset, decode_provenance(record.value).data
            except InvalidMessageError as error:
                _logger.error(
                    "%s, partition %d, offset %d holds no provenance record and is passed over: %s",
                    record.topic,
                    record.partition,
                    record.offset,
                    error,
                )
                if self._on_unreadable is not None:
                    self._on_unreadable(Unreadable(record, error))
