"""Deduplication of provenance records, which come at least once and in no order; removals among them."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from aiokafka import ConsumerRecord

from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.errors import InvalidMessageError, InvalidReason, LlamalogSchemasError
from llamalog_schemas.provenance import Provenance

_logger = logging.getLogger("llamalog_schemas.consumer")

FETCH_MAX_BYTES = 8 * 1024 * 1024
PARTITION_FETCH_BYTES = 512 * 1024
"""As transferred: bounds of a fetch, and of what it brings of one partition; a larger batch comes as well."""

_BYTES_AT_ONCE = 1024 * 1024
_RECORDS_AT_ONCE = 500

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
    def row_id(self) -> UUID:
        """The id of the row."""
        return self.row.id

    @property
    def is_correction(self) -> bool:
        """Whether another revision of this row was published before, to any reader."""
        return self.row.revision > 1


@dataclass(frozen=True, slots=True)
class Removed:
    """A row was removed from the log: a repair found it in no event.

    If it is recorded again later, it comes as an update with a higher revision.

    Attributes:
        row_id: the id of the row.
        removes: the highest revision that was returned before, if known; None: none.
        next: the position after this removal; store it with its effect, or `commit`.
    """

    row_id: UUID
    removes: int | None
    next: Position


Change = ProvenanceUpdate | Removed
"""What a reader gets of a row."""


class RevisionStore(Protocol):
    """The highest processed revision of each row.

    A reader that stores them in one transaction with their effect processes each update exactly once.
    """

    async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
        """The revisions of these rows; never processed ones are left out, removed ones as well, or are 0."""


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
        """Store the revision of a processed row, 0 if it was removed; evict the oldest entry."""
        self._known[row] = revision and max(revision, self._known.get(row, 0))
        self._known.move_to_end(row)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that is no provenance record, and was skipped."""

    record: ConsumerRecord
    error: InvalidMessageError


def portions(records: Sequence[ConsumerRecord]) -> Iterator[Sequence[ConsumerRecord]]:
    """Consecutive records, few enough to be decoded at once: that takes up to twenty times their bytes.

    A single record may have more than a mebibyte.
    """
    begin = held = 0
    for at, record in enumerate(records):
        size = len(record.value or b"")
        if at > begin and (held + size > _BYTES_AT_ONCE or at - begin == _RECORDS_AT_ONCE):
            yield records[begin:at]
            begin, held = at, 0
        held += size
    if records:
        yield records[begin:]


class Deduplicator:
    """Selects the updates and removals among records.

    Args:
        revisions: the processed ones; None: a `RevisionCache`.
        on_unreadable: called with each record that is no provenance record, which is also logged.
    """

    def __init__(
        self,
        revisions: RevisionStore | None = None,
        on_unreadable: Callable[[UnreadableRecord], object] | None = None,
    ) -> None:
        # A store of the reader's own that is empty as yet may count as false.
        self._revisions = RevisionCache() if revisions is None else revisions
        self._on_unreadable = on_unreadable

    async def updates(self, records: Sequence[ConsumerRecord], end: int | None = None) -> list[Change]:
        """The updates and removals in consecutive records of one partition, in their order.

        Args:
            end: the position after the records; None: after the last one.
        """
        rows = list(self._rows(records))
        known = dict(await self._revisions.highest({row_id for _, row_id, _ in rows}))
        new: list[tuple[int, UUID, Provenance | None, int | None]] = []
        for offset, row_id, row in rows:
            before, revision = known.get(row_id), 0 if row is None else row.revision
            # The records of a row are in one partition: one after its removal is no late duplicate.
            is_new = before != 0 if row is None else before is None or row.revision > before
            if is_new:
                known[row_id] = revision
                new.append((offset, row_id, row, before or None))
        # Records after an update that are none are processed as soon as the update is.
        partition = records[-1].partition
        following = [offset for offset, *_ in new[1:]] + [records[-1].offset + 1 if end is None else end]
        return [
            Removed(row_id, before, Position(partition, offset))
            if row is None
            else ProvenanceUpdate(row, before, Position(partition, offset))
            for (_, row_id, row, before), offset in zip(new, following, strict=False)
        ]

    def note(self, change: Change) -> None:
        """Store that a change was processed, unless the reader's own store does."""
        if isinstance(self._revisions, RevisionCache):
            revision = 0 if isinstance(change, Removed) else change.row.revision
            self._revisions.note(change.row_id, revision)

    def _rows(self, records: Sequence[ConsumerRecord]) -> Iterator[tuple[int, UUID, Provenance | None]]:
        """Offset, id and row of each record; None for a row that was removed."""
        for record in records:
            if record.value is None and not record.key:
                continue  # it names no row
            try:
                if record.value is None:
                    yield record.offset, _removed_row(record.key), None
                else:
                    row = decode_provenance(record.value).data
                    yield record.offset, row.id, row
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


def _removed_row(key: bytes) -> UUID:
    """The row that a record without a value names as removed.

    Raises:
        InvalidMessageError: its key is no row's id.
    """
    try:
        return UUID(key.decode())
    except ValueError:
        raise InvalidMessageError(
            InvalidReason.EMPTY, f"the record has no value, and its key {key!r} is no id of a row"
        ) from None
