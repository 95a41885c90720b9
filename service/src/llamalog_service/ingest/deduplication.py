"""Tell new rows from duplicates and from conflicts: two contents under one id."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
from msgspec.structs import replace

from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import Content, RowContent, StoredRow
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.ingest.decode import DecodedBatch
from llamalog_service.kafka.dead_letters import RejectedRecord

CONFLICT = "id-conflict"
"""The reason code of a dead letter whose id is recorded with another content."""


class Equality(Protocol):
    """What only the database can tell of two contents."""

    def json_equal(self, one: Any, other: Any) -> Awaitable[bool]:
        """Whether two JSON values are equal as the table sees them."""

    def legacy_equal(self, rows: Sequence[LegacyContent]) -> Awaitable[Sequence[bool]]:
        """Whether the table holds these rows as they are told, in step."""


class ClassifiedBatch(NamedTuple):
    """A batch against the table: what to write, what is there already, what contradicts it.

    `conflicting` and `rejected` run in step. `legacy_told`: rows that were there before events existed, and
    that an event of the batch tells of.
    """

    new: list[Content]
    repeated: list[StoredRow]
    conflicting: list[Content]
    rejected: list[RejectedRecord]
    duplicates: int
    legacy_told: list[UUID]


async def classify(
    decoded: DecodedBatch, stored: Mapping[UUID, StoredRow], equality: Equality
) -> ClassifiedBatch:
    """Sort the rows of a batch; the first of an id counts, in the table or else in the batch.

    Whatever is said under the id of a legacy row is a duplicate: it was there first. Only another telling of
    the row itself can be in conflict with it.
    """
    new: dict[UUID, Content] = {}
    repeated: dict[UUID, StoredRow] = {}
    conflicting: list[Content] = []
    rejected: list[RejectedRecord] = []
    legacy_told: dict[UUID, None] = {}
    duplicates = 0
    stands = await _standing_as_told(decoded, stored, equality)
    for at, (row, record) in enumerate(zip(decoded.rows, decoded.records, strict=True)):
        known = stored.get(row.id)
        if known is None and row.id not in new:
            new[row.id] = row
        elif await _is_duplicate(row, known or new[row.id], stands.get(at), equality):
            duplicates += 1
            if at in stands:
                legacy_told[row.id] = None
            if known is not None and (at in stands or not known.is_legacy) and known.root.origin is not None:
                repeated[row.id] = known
        else:
            sentence = f"the id {row.id} is recorded with another content; the one recorded first is kept"
            conflicting.append(row)
            rejected.append(RejectedRecord(record, DeadLetter(CONFLICT, sentence)))
    return ClassifiedBatch(
        list(new.values()), list(repeated.values()), conflicting, rejected, duplicates, list(legacy_told)
    )


async def _standing_as_told(
    decoded: DecodedBatch, stored: Mapping[UUID, StoredRow], equality: Equality
) -> dict[int, bool]:
    """Of legacy rows whose id is in the table, by place in the batch: whether they stand there as told."""
    told = {at: row for at, row in enumerate(decoded.rows) if type(row) is LegacyContent and row.id in stored}
    if not told:
        return {}
    return dict(zip(told, await equality.legacy_equal(list(told.values())), strict=True))


async def _is_duplicate(
    row: Content, first: Content | StoredRow, stands: bool | None, equality: Equality
) -> bool:
    """Whether what is said again of a row is nothing new.

    Args:
        first: what counts: the row of the table, or else of the batch.
        stands: whether the table holds a legacy row as told; None: it is no telling of a row of the table.
    """
    if stands is not None:
        return stands
    if isinstance(first, StoredRow):
        return first.is_legacy or await _equal(first.content, row, equality)
    return await _equal(first, row, equality)


async def _equal(first: Content, row: Content, equality: Equality) -> bool:
    """Equal in every column; JSON that is not equal to the letter is put to the database."""
    if type(first) is not RowContent or type(row) is not RowContent:
        return _equal_in_a_batch(first, row)
    if replace(first, metadata=None, preview_data=None) != replace(row, metadata=None, preview_data=None):
        return False
    for one, other in ((first.metadata, row.metadata), (first.preview_data, row.preview_data)):
        if _sorted_json(one) != _sorted_json(other) and not await equality.json_equal(one, other):
            return False
    return True


def _equal_in_a_batch(first: Content, row: Content) -> bool:
    """The same where one of them is a legacy row: under its id any other event is a duplicate."""
    if type(first) is not LegacyContent:
        return False
    return type(row) is not LegacyContent or first.columns == row.columns


def _sorted_json(value: Any) -> bytes:
    """JSON text in which True is not 1, as it is to Python's ``==``."""
    return msgspec.json.encode(value, order="sorted")
