"""A batch of messages: decoded by the contract, classified against the table, counted for metrics and log."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from llamalog_schemas.codec import decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import Category, is_override, is_root_override
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.errors import DeadLetter, RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.overrides import RootOverride, override_of
from llamalog_service.domain.rows import OTHER_JSON, Content, RowContent, StoredRow, content_of
from llamalog_service.kafka.dead_letters import RejectedRecord, too_large
from llamalog_service.kafka.reader import Record
from llamalog_service.kafka.record_batches import CutValue
from llamalog_service.kafka.topics import carries_overrides
from llamalog_service.telemetry.metrics import EventKind, Verdict

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

_LOGGER = "llamalog.consumer"
_log = structlog.get_logger(_LOGGER)

_UNKNOWN_TYPE = "unknown"
_LEGACY_ROW = "legacy-row"
_COMPARED_APART: Final[dict[str, None]] = dict.fromkeys(
    ("metadata", "preview_data", "producer", "traceparent")
)
_category = attrgetter("category")
_origin = attrgetter("origin")
_parent_conflict = attrgetter("parent_conflict")
_declared = attrgetter("declared_root_job_id")


_Refusable = TypeVar("_Refusable", Content, RootOverride)


class DecodedBatch(NamedTuple):
    """A batch by kind, in the order of arrival.

    `rows` and `records` run in step, and so do `overrides` and `override_records`.
    """

    rows: list[Content]
    records: list[Record]
    overrides: list[RootOverride]
    override_records: list[Record]
    rejected: list[RejectedRecord]
    tombstones: int


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


class BatchOutcome(NamedTuple):
    """A batch counted in messages; those recorded by category."""

    recorded: Mapping[str, int]
    duplicates: int
    dead_letters: int
    tombstones: int
    stale_jobs_found: int


class Equality(Protocol):
    """Comparisons of contents that only the database can make."""

    def json_equal(self, one: Any, other: Any) -> Awaitable[bool]:
        """Whether two JSON values are equal as the table sees them."""

    def legacy_equal(self, rows: Sequence[LegacyContent]) -> Awaitable[Sequence[bool]]:
        """Whether the table holds these rows with this content, in step."""


def decode_batch(records: Sequence[Record]) -> DecodedBatch:
    """Decode and validate record by record: an invalid one never affects its neighbours."""
    decoded = DecodedBatch([], [], [], [], [], 0)
    for record in records:
        _decode(record, decoded)
    return _with_tombstones(decoded, records)


async def decode_in_turns(records: Sequence[Record]) -> DecodedBatch:
    """The same, yielding to the event loop now and then."""
    decoded = DecodedBatch([], [], [], [], [], 0)
    deadline = time.monotonic() + _TURN_SECONDS
    for record in records:
        _decode(record, decoded)
        if time.monotonic() > deadline:
            await asyncio.sleep(0)
            deadline = time.monotonic() + _TURN_SECONDS
    return _with_tombstones(decoded, records)


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
    overrides = is_override(event)
    if overrides is not carries_overrides(record.topic):
        decoded.rejected.append(RejectedRecord(record, _misplaced(record.topic, is_override=overrides)))
    elif is_root_override(event):
        decoded.overrides.append(override_of(event))
        decoded.override_records.append(record)
    elif is_override(event):
        decoded.rejected.append(RejectedRecord(record, _misplaced(record.topic, is_override=False)))
    else:
        decoded.rows.append(content_of(event))
        decoded.records.append(record)


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


def count_events(decoded: DecodedBatch, classified: ClassifiedBatch) -> Mapping[EventKind, int]:
    """Every message of a batch by type and verdict.

    A conflict is a dead letter too, and counted once: as a conflict, whose type is known.
    """
    new, conflicting = _by_type(classified.new), _by_type(classified.conflicting)
    counts: Counter[EventKind] = Counter()
    for type_, rows in _by_type(decoded.rows).items():
        recorded, conflicts = new[type_], conflicting[type_]
        _count(counts, type_, "recorded", recorded)
        _count(counts, type_, "conflict", conflicts)
        _count(counts, type_, "duplicate", rows - recorded - conflicts)
    for record in decoded.rejected:
        counts[EventKind(_UNKNOWN_TYPE, "dead-lettered", record.verdict.reason)] += 1
    for override in decoded.overrides:
        kind = "root-adopted" if override.adopted else "root-adoption-revoked"
        counts[EventKind(kind, "override")] += 1
    if decoded.tombstones:
        counts[EventKind(_UNKNOWN_TYPE, "tombstone")] = decoded.tombstones
    return counts


def count_roots(rows: Sequence[Content], roots: Sequence[Root]) -> tuple[Mapping[Origin, int], int, int]:
    """New rows by origin, those that claim another parent, and those whose declared root is not the root."""
    declared = list(map(_declared, rows))
    disagreeing = 0
    if any(declared):
        disagreeing = sum(
            named is not None and root.root_job_id is not None and named != root.root_job_id
            for named, root in zip(declared, roots, strict=True)
        )
    return Counter(map(_origin, roots)), sum(map(_parent_conflict, roots)), disagreeing


def count_categories(rows: Iterable[Content]) -> Counter[str]:
    """Rows by category; a legacy row may bear any text."""
    return Counter(map(_category, rows))


def log_batch(outcome: BatchOutcome, rows: Sequence[Content], roots: Sequence[Root]) -> None:
    """Log one line for the batch, counts of zero left out, and at level debug one for each new row.

    Args:
        rows: the new rows.
        roots: theirs first, in step.
    """
    counts = {name: count for name, count in outcome._asdict().items() if count and name != "recorded"}
    categories = {category: count for category in Category if (count := outcome.recorded.get(category))}
    _log.info("recorded", rows=len(rows), categories=categories, **counts)
    if not logging.getLogger(_LOGGER).isEnabledFor(logging.DEBUG):
        return
    for row, root in zip(rows, roots, strict=False):
        fields = {
            "operation": row.operation,
            "entity": f"{row.entity_type}/{row.entity_id}" if row.entity_type and row.entity_id else None,
            "job": row.job_id,
            "parent": row.parent_job_id,
            "root": root.root_job_id,
            "error_code": row.error_code,
        }
        present = {name: value for name, value in fields.items() if value is not None}
        _log.debug("row", category=row.category, id=str(row.id), **present, origin=root.origin)


def _by_type(rows: Sequence[Content]) -> Counter[str]:
    """Rows by the type of the event that states them."""
    legacy = sum(type(row) is LegacyContent for row in rows)
    if legacy:
        rows = [row for row in rows if type(row) is not LegacyContent]
    counts = Counter(
        {f"entity-{category.lower()}": times for category, times in count_categories(rows).items()}
    )
    return counts + Counter({_LEGACY_ROW: legacy})


def _count(counts: Counter[EventKind], type_: str, verdict: Verdict, times: int) -> None:
    if times:
        counts[EventKind(type_, verdict)] = times
