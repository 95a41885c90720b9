"""A batch of messages: decoded by the contract, classified against the table."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from llamalog_schemas.codec import decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import is_erased, is_override
from llamalog_service.domain.erasures import Erasures, erased_content
from llamalog_service.domain.errors import DeadLetter, RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.overrides import Override, override_of
from llamalog_service.domain.rows import OTHER_JSON, Content, RowContent, StoredRow, content_of
from llamalog_service.kafka.dead_letters import RejectedRecord, too_large
from llamalog_service.kafka.reader import Record
from llamalog_service.kafka.record_batches import CutValue
from llamalog_service.kafka.topics import carries_overrides

CONFLICT = "id-conflict"
"""The reason code of a dead letter whose id is recorded with another content."""

REFUSED = "refused-by-database"
"""The reason code of a dead letter that the contract allows and PostgreSQL does not."""

NOT_AN_OVERRIDE = "not-an-override"
"""The reason code of a dead letter that is valid elsewhere and no override, from the topic of overrides."""

UNAUTHORISED_OVERRIDE = "unauthorised-override"
"""The reason code of a dead letter that is an override, from the topic that producers write to."""

_TURN_SECONDS = 0.003
"""Seconds after which decoding yields to the event loop: the batch before is recorded meanwhile, and while it
waits for its turn PostgreSQL has no work."""

_COMPARED_APART: Final[dict[str, None]] = dict.fromkeys(
    ("metadata", "preview_data", "producer", "traceparent")
)
_Refusable = TypeVar("_Refusable", Content, Override)
_Kind = TypeVar("_Kind", bound=Override)


class DecodedBatch(NamedTuple):
    """A batch by kind, in the order of arrival.

    `rows` and `records` run in step, and so do `overrides` and `override_records`. `erased` are the ids of
    rows of which a person was erased.
    """

    rows: list[Content]
    records: list[Record]
    overrides: list[Override]
    override_records: list[Record]
    rejected: list[RejectedRecord]
    tombstones: int
    erased: set[UUID]

    def overrides_of(self, kind: type[_Kind]) -> list[_Kind]:
        """The overrides of one kind."""
        return [one for one in self.overrides if isinstance(one, kind)]


class ClassifiedBatch(NamedTuple):
    """A batch against the table.

    Attributes:
        new: rows to write.
        repeated: rows of the table that the batch repeats.
        conflicting: rows whose id is recorded with another content; `rejected` runs in step.
        duplicates: the number of messages that repeat a row of the table or of the batch.
        legacy_ids: legacy rows of the table that an event of the batch states.
    """

    new: list[Content]
    repeated: list[StoredRow]
    conflicting: list[Content]
    rejected: list[RejectedRecord]
    duplicates: int
    legacy_ids: list[UUID]


class Equality(Protocol):
    """Comparisons of contents that only the database can make."""

    def json_equal(self, one: Any, other: Any) -> Awaitable[bool]:
        """Whether two JSON values are equal as the table sees them."""

    def legacy_equal(self, rows: Sequence[LegacyContent]) -> Awaitable[Sequence[bool]]:
        """Whether the table holds these rows with this content, in step."""


def decode_batch(records: Sequence[Record]) -> DecodedBatch:
    """Decode and validate record by record: an invalid one never affects its neighbours."""
    decoded = _empty_batch()
    for record in records:
        _decode(record, decoded)
    return _with_tombstones(decoded, records)


async def decode_in_turns(records: Sequence[Record]) -> DecodedBatch:
    """The same, yielding to the event loop now and then."""
    decoded = _empty_batch()
    deadline = time.monotonic() + _TURN_SECONDS
    for record in records:
        _decode(record, decoded)
        if time.monotonic() > deadline:
            await asyncio.sleep(0)
            deadline = time.monotonic() + _TURN_SECONDS
    return _with_tombstones(decoded, records)


def _empty_batch() -> DecodedBatch:
    return DecodedBatch([], [], [], [], [], 0, set())


def _decode(record: Record, decoded: DecodedBatch) -> None:
    if record.value is None:
        return
    if type(record.value) is CutValue:
        decoded.rejected.append(RejectedRecord(record, too_large(record.value)))
        return
    try:
        event = decode_event(record.value, record.headers)
    except InvalidMessageError as invalid:
        decoded.rejected.append(RejectedRecord(record, DeadLetter(invalid.reason, invalid.sentence)))
        return
    overrides = carries_overrides(record.topic)
    if is_override(event):
        if not overrides:
            decoded.rejected.append(RejectedRecord(record, _misplaced(record.topic, is_override=True)))
            return
        decoded.overrides.append(override_of(event))
        decoded.override_records.append(record)
    elif overrides:
        decoded.rejected.append(RejectedRecord(record, _misplaced(record.topic, is_override=False)))
    else:
        row = content_of(event)
        decoded.rows.append(row)
        decoded.records.append(record)
        if is_erased(event):
            decoded.erased.add(row.id)


def _misplaced(topic: str, *, is_override: bool) -> DeadLetter:
    if not is_override:
        return DeadLetter(
            NOT_AN_OVERRIDE,
            f"{topic} holds overrides alone, which the service writes for operators; an entity event belongs "
            "in the topic of entity events",
        )
    return DeadLetter(
        UNAUTHORISED_OVERRIDE,
        f"an override counts in the topic of overrides alone, not in {topic}, which producers write to: an "
        "operator decrees one with `llamalog adopt-root` or `llamalog revoke`, or with POST /overrides and a "
        "token of the scope admin; one that was read here before, `llamalog overrides publish` moves over",
    )


def _with_tombstones(decoded: DecodedBatch, records: Sequence[Record]) -> DecodedBatch:
    read = len(decoded.rows) + len(decoded.overrides) + len(decoded.rejected)
    return decoded._replace(tombstones=len(records) - read)


def without_refused(decoded: DecodedBatch, refused: Mapping[UUID, RowRefusedError]) -> DecodedBatch:
    """The batch without the rows that PostgreSQL refuses, their messages among the rejected."""
    rows, records, rejected = _parted(decoded.rows, decoded.records, refused, "row")
    return decoded._replace(rows=rows, records=records, rejected=decoded.rejected + rejected)


def without_refused_overrides(decoded: DecodedBatch, refused: Mapping[UUID, RowRefusedError]) -> DecodedBatch:
    """The batch without the overrides that PostgreSQL refuses, their messages among the rejected."""
    overrides, records, rejected = _parted(decoded.overrides, decoded.override_records, refused, "override")
    return decoded._replace(
        overrides=overrides, override_records=records, rejected=decoded.rejected + rejected
    )


def erase_batch(decoded: DecodedBatch, stored: Mapping[UUID, StoredRow], erasures: Erasures) -> DecodedBatch:
    """The batch without the persons that are erased.

    A row that repeats one of the table stays as it is as long as that one holds its person: they are equal.
    """
    if not erasures and not decoded.erased:
        return decoded
    rows: list[Content] = []
    erased: set[UUID] = set()
    for row in decoded.rows:
        known = stored.get(row.id)
        left = None
        if known is None or known.erased:
            left = erased_content(row, erasures, erased=row.id in decoded.erased)
        if left is not None:
            erased.add(row.id)
        rows.append(row if left is None else left)
    return decoded._replace(rows=rows, erased=erased)


def _parted(
    items: Sequence[_Refusable], records: Sequence[Record], refused: Mapping[UUID, RowRefusedError], what: str
) -> tuple[list[_Refusable], list[Record], list[RejectedRecord]]:
    """The items that are not refused, their records, and the rejected records of the others."""
    kept: list[_Refusable] = []
    kept_records: list[Record] = []
    rejected: list[RejectedRecord] = []
    for item, record in zip(items, records, strict=True):
        if item.id in refused:
            fault = DeadLetter(REFUSED, f"PostgreSQL refuses the {what}: {refused[item.id]}")
            rejected.append(RejectedRecord(record, fault))
        else:
            kept.append(item)
            kept_records.append(record)
    return kept, kept_records, rejected


async def classify(
    decoded: DecodedBatch, stored: Mapping[UUID, StoredRow], equality: Equality
) -> ClassifiedBatch:
    """Classify rows as new, duplicates or conflicts; the first of an id counts, in the table or the batch.

    Any event under the id of a legacy row is a duplicate: the row was there first. Only another statement of
    the legacy row itself can be in conflict with it.
    """
    new: dict[UUID, Content] = {}
    repeated: dict[UUID, StoredRow] = {}
    conflicting: list[Content] = []
    rejected: list[RejectedRecord] = []
    legacy_ids: dict[UUID, None] = {}
    duplicates = 0
    matches = await _match_legacy_rows(decoded, stored, equality)
    for at, (row, record) in enumerate(zip(decoded.rows, decoded.records, strict=True)):
        known = stored.get(row.id)
        if known is None and row.id not in new:
            new[row.id] = row
        elif await _is_duplicate(row, known or new[row.id], matches.get(at), equality):
            duplicates += 1
            if at in matches:
                legacy_ids[row.id] = None
            if known is not None and (at in matches or not known.is_legacy) and known.root.origin is not None:
                repeated[row.id] = known
        else:
            conflicting.append(row)
            first = new[row.id] if known is None else known.content
            rejected.append(RejectedRecord(record, DeadLetter(CONFLICT, _conflict_sentence(first, row))))
    return ClassifiedBatch(
        list(new.values()), list(repeated.values()), conflicting, rejected, duplicates, list(legacy_ids)
    )


def _conflict_sentence(first: Content, row: Content) -> str:
    if type(first) is RowContent and type(row) is RowContent and not _may_be_of(first, row.producer):
        return (
            f"the id {row.id} is recorded for the producer {first.producer}, and this event is of "
            f"{row.producer}; the one recorded first is kept"
        )
    return f"the id {row.id} is recorded with another content; the one recorded first is kept"


def _may_be_of(first: RowContent, producer: str | None) -> bool:
    """Whether a row is of this producer: one recorded before producers were may be of any."""
    return first.producer is None or first.producer == producer


async def _match_legacy_rows(
    decoded: DecodedBatch, stored: Mapping[UUID, StoredRow], equality: Equality
) -> dict[int, bool]:
    """Of legacy rows whose id is in the table, by index in the batch: whether the contents are equal."""
    legacy = {
        at: row for at, row in enumerate(decoded.rows) if type(row) is LegacyContent and row.id in stored
    }
    if not legacy:
        return {}
    return dict(zip(legacy, await equality.legacy_equal(list(legacy.values())), strict=True))


async def _is_duplicate(
    row: Content, first: Content | StoredRow, matches: bool | None, equality: Equality
) -> bool:
    """Whether a row only repeats the first one of its id.

    Args:
        first: the row of the table, or else of the batch.
        matches: whether a legacy row equals the table's; None if it is no legacy row of the table.
    """
    if matches is not None:
        return matches
    if isinstance(first, StoredRow):
        return first.is_legacy or await _equal(first.content, row, equality)
    return await _equal(first, row, equality)


async def _equal(first: Content, row: Content, equality: Equality) -> bool:
    """Equal in every column but the trace; JSON whose texts differ is compared by the database."""
    if type(first) is not RowContent or type(row) is not RowContent:
        return _equal_in_a_batch(first, row)
    if first.metadata is OTHER_JSON:
        return False
    if not _may_be_of(first, row.producer) or replace(first, **_COMPARED_APART) != replace(
        row, **_COMPARED_APART
    ):
        return False
    for one, other in ((first.metadata, row.metadata), (first.preview_data, row.preview_data)):
        if one is other:
            continue  # PostgreSQL found them equal
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
