"""What a run leaves, held against what its messages must become."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord
from msgspec.structs import replace

from harness.beliefs import beliefs_by_revision, broken_chains
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from llamalog_schemas.codec import decode_event, decode_provenance
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import (
    EntityCreated,
    Event,
    RowEvent,
    UserErased,
    is_legacy_row,
    is_override,
    row_id,
)
from llamalog_schemas.provenance import Provenance
from llamalog_service.domain.erasures import Erasures, erased_event, erasure_of
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import StoredRow, content_of
from llamalog_service.ingest.batch import NOT_AN_OVERRIDE, UNAUTHORISED_OVERRIDE
from llamalog_service.log.legacy_rows import legacy_rows_equal
from simulation.actors import EVENTS, GROUP, NAMES, OVERRIDES
from simulation.broker import Broker
from simulation.table import Table

Coordinates = tuple[str, int, int]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def what_is_wrong(own: asyncpg.Connection, broker: Broker, *, was_set_back: bool) -> list[str]:
    """A line for each thing that is not as it must be at rest."""
    stored = await stored_rows(own)
    judged = await _judged(own, broker.records(EVENTS) + broker.records(OVERRIDES), stored)
    wrong = [f"table: {line}" for line in differences(_as_stated(stored, judged.events), judged.events)]
    wrong += _wrong_dead_letters(broker, judged)
    wrong += _wrong_provenance(broker.records(NAMES.provenance.name), stored, was_set_back=was_set_back)
    wrong += [f"history: {line}" for line in await broken_chains(own)]
    if not was_set_back:
        wrong += await _wrong_history(own, broker.records(NAMES.provenance.name), stored)
    return wrong + await _wrong_positions(own, broker)


async def wrong_table(own: asyncpg.Connection, broker: Broker, table: Table) -> list[str]:
    """The same of the table alone, while rows are in it that no event states."""
    stored = await stored_rows(own)
    events = (await _judged(own, broker.records(EVENTS) + broker.records(OVERRIDES), stored)).events
    events += [orphan for orphan, _ in table.orphans if row_id(orphan) in stored]
    stated = _as_stated(stored, events)
    for event in events:
        known = stated.get(row_id(event))
        if type(event) is EntityCreated and known is not None and known.content.producer is None:
            content = replace(known.content, producer=event.source)
            stated[known.content.id] = replace(known, content=content)
    found = differences(stated, events)
    return [f"table, before it was rebuilt: {line}" for line in found]


class _Judged(NamedTuple):
    """The messages of the topic.

    Attributes:
        events: the valid ones.
        bad: the reasons of those that are no event.
        losers: those that contradict the row of their id, with those of the same id that do not.
    """

    events: list[Event]
    bad: dict[Coordinates, str]
    losers: dict[Coordinates, list[Coordinates]]


async def _judged(
    own: asyncpg.Connection, records: Iterable[ConsumerRecord], stored: dict[UUID, StoredRow]
) -> _Judged:
    """Judge every message by the contract and by the table.

    Which of two contents of one id stays is not promised: the table says which it was.
    """
    events: list[Event] = []
    bad: dict[Coordinates, str] = {}
    winners: dict[UUID, list[Coordinates]] = defaultdict(list)
    losers: dict[Coordinates, list[Coordinates]] = {}
    records = list(records)
    erasures = _erasures(records)
    for record in records:
        if record.value is None:
            continue
        at = (record.topic, record.partition, record.offset)
        try:
            event = decode_event(record.value, record.headers)
        except InvalidMessageError as invalid:
            bad[at] = str(invalid.reason)
            continue
        if is_override(event) is not (record.topic == OVERRIDES):
            bad[at] = UNAUTHORISED_OVERRIDE if is_override(event) else NOT_AN_OVERRIDE
        elif is_override(event):
            events.append(event)
        elif await _is_as_stored(own, erased_event(event, erasures), stored.get(row_id(event))):
            events.append(event)
            winners[row_id(event)].append(at)
        else:
            losers[at] = winners[row_id(event)]
    return _Judged(events, bad, losers)


def _erasures(records: Iterable[ConsumerRecord]) -> Erasures:
    """The erasures of their topic."""
    found = []
    for record in records:
        with suppress(InvalidMessageError):
            if record.topic == OVERRIDES and record.value is not None:
                event = decode_event(record.value, record.headers)
                found += [erasure_of(event)] if isinstance(event, UserErased) else []
    return Erasures().with_all(found)


async def _is_as_stored(own: asyncpg.Connection, event: RowEvent, known: StoredRow | None) -> bool:
    if known is None:
        return True
    content = content_of(event)
    if isinstance(content, LegacyContent):
        return (await legacy_rows_equal(own, [content]))[0]
    if known.content.producer is None:
        content = replace(content, producer=None)
    return known.content == content


def _as_stated(stored: dict[UUID, StoredRow], events: Iterable[Event]) -> dict[UUID, StoredRow]:
    """Legacy rows with their content as their events have it: PostgreSQL has found it equal."""
    stated: dict[UUID, Any] = dict(stored)
    for event in events:
        if is_legacy_row(event) and (known := stored.get(row_id(event))) is not None:
            stated[known.content.id] = replace(known, content=content_of(event))
    return stated


def _wrong_dead_letters(broker: Broker, judged: _Judged) -> list[str]:
    """Each bad message becomes a dead letter with its reason at least once, and nothing else is.

    Either of two that contradict each other may be a dead letter, where a database was set back, or where a
    rebuild, which keeps the first one of the topic, has decided otherwise than the consumer.
    """
    found: dict[Coordinates, str] = {}
    for dead_letter in broker.records(NAMES.dead_letters.name):
        headers = {name: (content or b"").decode() for name, content in dead_letter.headers}
        topic, partition, offset = (headers[f"llamalog-{name}"] for name in ("topic", "partition", "offset"))
        found[topic, int(partition), int(offset)] = headers["llamalog-reason"]
    wrong = []
    for at, reason in judged.bad.items():
        if at not in found:
            wrong.append(f"dead letters: {at} is missing ({reason})")
    for at, winners in judged.losers.items():
        if found.keys().isdisjoint([at, *winners]):
            wrong.append(f"dead letters: {at} is missing (id-conflict)")
    for at, reason in found.items():
        if at not in judged.bad and reason != "id-conflict":
            wrong.append(f"dead letters: {at} should not be there ({reason})")
        if judged.bad.get(at, reason) != reason:
            wrong.append(f"dead letters: {at} has the reason {reason}, not {judged.bad[at]}")
    return wrong


def _wrong_provenance(
    records: list[ConsumerRecord], stored: dict[UUID, StoredRow], *, was_set_back: bool
) -> list[str]:
    """What a reader of the topic believes, and what a reader of its compacted remains would.

    A row that was published, lost with the newer copy of the database and recorded again, is another time's:
    its revisions begin anew, and readers may stay with a higher one that was published before.
    """
    published = [decode_provenance(record.value).data for record in records if record.value is not None]
    believed, compacted, expected = _highest(published), _compacted(records), as_stored(stored)
    believed = {row: one for row, one in believed.items() if row in compacted}
    if was_set_back:
        believed, compacted = _of_this_time(believed, expected), _of_this_time(compacted, expected)
        expected = _of_this_time(expected, expected)
    wrong = _differing(believed, expected, "provenance")
    wrong += _differing(compacted, expected, "provenance, compacted")
    if not was_set_back:
        versions: dict[tuple[UUID, int], set[Provenance]] = defaultdict(set)
        for one in published:
            versions[one.id, one.revision].add(replace(one, metadata=None))
        wrong += [
            f"provenance: {of} was published in two versions" for of, all in versions.items() if len(all) > 1
        ]
    return wrong


async def _wrong_history(
    own: asyncpg.Connection, records: list[ConsumerRecord], stored: dict[UUID, StoredRow]
) -> list[str]:
    """Every revision that was published has the root and origin that the history gives it.

    Of rows that were removed once none is compared: revisions from before and after the removal may be equal.
    """
    removed = {record.key for record in records if record.value is None}
    by_row: dict[UUID, list[Provenance]] = defaultdict(list)
    for record in records:
        if record.value is not None and record.key not in removed:
            one = decode_provenance(record.value).data
            by_row[one.id].append(one)
    wrong = []
    for row in sorted(by_row.keys() & stored.keys()):
        known = stored[row]
        belief = await beliefs_by_revision(own, row, (known.root.root_job_id, known.root.origin))
        wrong += [
            f"history: {_short(one)} was published, and it says {belief(one.revision)}"
            for one in by_row[row]
            if one.revision <= known.revision and belief(one.revision) != (one.root_job_id, one.origin)
        ]
    return wrong


def _compacted(records: Iterable[ConsumerRecord]) -> dict[UUID, Provenance]:
    """The last record of each row, but for those whose last one is a tombstone."""
    last = {record.key: record.value for record in records}
    remains = (decode_provenance(value).data for value in last.values() if value is not None)
    return {one.id: one for one in remains}


def _highest(published: Iterable[Provenance]) -> dict[UUID, Provenance]:
    """The highest revision of each row; of equal ones the last, as compaction has it."""
    newest: dict[UUID, Provenance] = {}
    for one in published:
        if one.id not in newest or one.revision >= newest[one.id].revision:
            newest[one.id] = one
    return newest


def _of_this_time(
    published: dict[UUID, Provenance], expected: dict[UUID, Provenance]
) -> dict[UUID, Provenance]:
    """Without what belongs to the time before: a higher revision than the row has now, numbers, times."""
    kept = {}
    for row, one in published.items():
        now = expected.get(row, one)
        kept[row] = replace(now if one.revision > now.revision else one, recorded_at=_NEVER, revision=0)
    return kept


def _differing(found: dict[UUID, Provenance], expected: dict[UUID, Provenance], where: str) -> list[str]:
    wrong = []
    for row in sorted(found.keys() | expected.keys()):
        if found.get(row) != expected.get(row):
            wrong.append(f"{where}: {_short(found.get(row))}, the table: {_short(expected.get(row))}")
    return wrong


def _short(published: Provenance | None) -> str:
    if published is None:
        return "nothing"
    named = f"{published.id} ({published.job_id} of {published.parent_job_id})"
    return f"{named} revision {published.revision} {published.origin} {published.root_job_id}"


async def _wrong_positions(own: asyncpg.Connection, broker: Broker) -> list[str]:
    rows = await own.fetch(
        "SELECT topic, partition, next_offset FROM consumer_positions WHERE consumer_group = $1", GROUP
    )
    found = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    ends = {
        partition: broker.end(partition)
        for topic in (EVENTS, OVERRIDES)
        for partition in broker.partitions[topic]
    }
    return [
        f"positions: {partition.topic}/{partition.partition} at {found.get(partition, 0)}, not {end}"
        for partition, end in ends.items()
        if found.get(partition, 0) != end
    ]
