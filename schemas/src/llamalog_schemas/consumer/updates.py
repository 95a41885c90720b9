"""Deduplication of provenance records, which come at least once and in no order."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from aiokafka import ConsumerRecord

from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.errors import InvalidMessageError, LlamalogSchemasError
from llamalog_schemas.provenance import Provenance

_logger = logging.getLogger("llamalog_schemas.consumer")

DEFAULT_TOPIC = "llamalog.provenance"


class KafkaUnavailableError(LlamalogSchemasError):
    """Kafka did not answer when the consumer started; trying again later may help."""


class NoGroupError(LlamalogSchemasError):
    """A consumer without a group commits nothing to Kafka: store `update.next` instead."""


class Position(NamedTuple):
    """A position in the topic: the offset is that of the next record to read."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class ProvenanceUpdate:
    """A new row, or a correction of a row that was published before.

    Attributes:
        row: the whole row as of this revision, also in a correction.
        corrects: the highest revision that was returned before, if known; None: none.
        next: the position after this update; store it with its effect, or `commit`.
    """

    row: Provenance
    corrects: int | None
    next: Position

    @property
    def is_correction(self) -> bool:
        """Whether another revision of this row was published before, to any reader."""
        return self.row.revision > 1


class RevisionStore(Protocol):
    """The highest processed revision of each row.

    A reader that stores them in one transaction with their effect processes each update exactly once.
    """

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        """The revisions of these rows; rows that were never processed are left out."""


class RevisionCache:
    """The last revisions in memory: evicted rows, and all after a restart, may come again.

    Args:
        rows: the number of rows to keep; a hundred thousand take some 20 MB.
    """

    def __init__(self, rows: int = 100_000) -> None:
        self._limit = rows
        self._known: OrderedDict[UUID, int] = OrderedDict()

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        """The revisions of these rows, as far as they are kept."""
        return {row: self._known[row] for row in rows if row in self._known}

    def note(self, row: UUID, revision: int) -> None:
        """Store the revision of a processed row; evict the least recently updated row."""
        self._known[row] = max(revision, self._known.get(row, 0))
        self._known.move_to_end(row)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that is no provenance record, and was skipped."""

    record: ConsumerRecord
    error: InvalidMessageError


class Deduplicator:
    """Selects the updates among records.

    Args:
        revisions: the processed ones.
        on_unreadable: called with each record that is no provenance record, which is also logged.
    """

    def __init__(
        self, revisions: RevisionStore, on_unreadable: Callable[[UnreadableRecord], object] | None = None
    ) -> None:
        self._revisions = revisions
        self._on_unreadable = on_unreadable

    async def updates(self, records: Sequence[ConsumerRecord]) -> list[ProvenanceUpdate]:
        """The updates in consecutive records of one partition, in their order."""
        rows = list(self._rows(records))
        known = dict(await self._revisions.highest({row.id for _, row in rows}))
        new: list[tuple[int, Provenance, int | None]] = []
        for offset, row in rows:
            before = known.get(row.id)
            if before is None or row.revision > before:
                known[row.id] = row.revision
                new.append((offset, row, before))
        # Records after an update that are none are processed as soon as the update is.
        partition, end = records[-1].partition, records[-1].offset + 1
        following = [offset for offset, _, _ in new[1:]] + [end]
        return [
            ProvenanceUpdate(row, before, Position(partition, offset))
            for (_, row, before), offset in zip(new, following, strict=False)
        ]

    def note(self, update: ProvenanceUpdate) -> None:
        """Store that an update was processed, unless the reader's own store does."""
        if isinstance(self._revisions, RevisionCache):
            self._revisions.note(update.row.id, update.row.revision)

    def _rows(self, records: Sequence[ConsumerRecord]) -> Iterator[tuple[int, Provenance]]:
        for record in records:
            if record.value is None:
                continue
            try:
                yield record.offset, decode_provenance(record.value).data
            except InvalidMessageError as error:
                _logger.error(
                    "%s, partition %d, offset %d holds no provenance record and is skipped: %s",
                    record.topic,
                    record.partition,
                    record.offset,
                    error,
                )
                if self._on_unreadable is not None:
                    self._on_unreadable(UnreadableRecord(record, error))
