"""Tell new rows from duplicates and from conflicts: two contents under one id."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.ingest.decode import Decoded
from llamalog_service.publish.dead_letters import Letter

CONFLICT = "id-conflict"
"""The reason code of a dead letter whose id is recorded with another content."""

JsonEqual = Callable[[Any, Any], Awaitable[bool]]


class Novelty(NamedTuple):
    """A batch against the table: what to write, what is there already, what contradicts it.

    `conflicting` and `letters` run in step.
    """

    new: list[RowContent]
    repeated: list[StoredRow]
    conflicting: list[RowContent]
    letters: list[Letter]
    duplicates: int


async def tell_new(
    decoded: Decoded,
    stored: Mapping[UUID, StoredRow],
    json_equal: JsonEqual,
    taken_over: Collection[datetime] = (),
) -> Novelty:
    """Sort the rows of a batch; the first of an id counts, in the table or else in the batch.

    What bears the id of a legacy row is a duplicate, whatever it says.

    Args:
        taken_over: when rows were recorded, as it were, that were there before events existed.
    """
    new: dict[UUID, RowContent] = {}
    repeated: dict[UUID, StoredRow] = {}
    conflicting: list[RowContent] = []
    letters: list[Letter] = []
    duplicates = 0
    for row, record in zip(decoded.rows, decoded.records, strict=True):
        known = stored.get(row.id)
        first = known.content if known is not None else new.get(row.id)
        if first is None:
            new[row.id] = row
        elif (
            row.id in decoded.legacy
            or _was_taken_over(known, taken_over)
            or await _equal(first, row, json_equal)
        ):
            duplicates += 1
            if known is not None:
                repeated[row.id] = known
        else:
            sentence = f"the id {row.id} is recorded with another content; the one recorded first is kept"
            conflicting.append(row)
            letters.append(Letter(record, DeadLetter(CONFLICT, sentence)))
    return Novelty(list(new.values()), list(repeated.values()), conflicting, letters, duplicates)


def _was_taken_over(known: StoredRow | None, taken_over: Collection[datetime]) -> bool:
    return known is not None and known.recorded_at in taken_over


async def _equal(first: RowContent, row: RowContent, json_equal: JsonEqual) -> bool:
    """Equal in every column; JSON that is not equal to the letter is put to the database."""
    if replace(first, metadata=None, preview_data=None) != replace(row, metadata=None, preview_data=None):
        return False
    for one, other in ((first.metadata, row.metadata), (first.preview_data, row.preview_data)):
        if _sorted_json(one) != _sorted_json(other) and not await json_equal(one, other):
            return False
    return True


def _sorted_json(value: Any) -> bytes:
    """JSON text in which True is not 1, as it is to Python's ``==``."""
    return msgspec.json.encode(value, order="sorted")
