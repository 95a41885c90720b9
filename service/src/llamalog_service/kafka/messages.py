"""The messages that the service publishes: provenance, commands, overrides, backfill events."""

from collections.abc import Collection
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import msgspec
from msgspec.structs import astuple, replace

from llamalog_schemas.backfills import (
    BACKFILL_SOURCE,
    BackfillEnded,
    BackfillEndedData,
    BackfillProgressed,
    BackfillProgressedData,
)
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.commands import (
    MAX_JOBS_PER_COMMAND,
    BackfillRoots,
    BackfillRootsData,
    RecomputeReason,
    RecomputeRoots,
    RecomputeRootsData,
    RunRequest,
    RunRequestData,
)
from llamalog_schemas.events import RootOverrideEvent, lineage_key
from llamalog_schemas.provenance import PROVENANCE_SOURCE, Provenance, ProvenanceRecorded
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.kafka.topics import MAX_MESSAGE_BYTES


class OutgoingMessage(NamedTuple):
    """A message as Kafka carries it; aiokafka wants the headers as a list."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


MAX_RECORD_BYTES: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""Bytes of a record that every topic accepts: more than an event can bring, but a legacy row is unbounded."""

_FIELDS = (*RowContent.__struct_fields__, *Root.__struct_fields__, "revision", "recorded_at")
_CREATED_AT = _FIELDS.index("created_at")
_in_order_of_provenance = itemgetter(
    *(_FIELDS.index(name) for name in Provenance.__struct_fields__ if name != "omitted")
)
"""Thirty-four values moved at once: naming each of them in a call takes ten times as long."""

_OPTIONAL = dict(
    zip(
        Provenance.__struct_fields__[-len(Provenance.__struct_defaults__) :],
        Provenance.__struct_defaults__,
        strict=True,
    )
)
_UNBOUNDED = (
    "metadata",
    "preview_data",
    "error_message",
    "reason",
    "sources",
    "fields_enriched",
    "user_id",
)
"""The fields that may be of any size."""

REPLAYED_HEADERS: Final = [*STRUCTURED_HEADERS, ("llamalog-replayed", b"true")]
"""Of records that an operator had republished."""


def provenance_message(stored: StoredRow, *, replayed: bool = False) -> OutgoingMessage:
    """The record of a row as it is in the table, keyed by the row's id: compaction keeps its latest.

    Values that no reader could decode, or that would make it too large for the topic, are omitted and named.
    """
    record = provenance_record(stored)
    value = encode(record)
    if len(value) > MAX_RECORD_BYTES:
        value = encode(_shorten(record, len(value)))
    row_id, _, _ = record.id.partition("/")
    return OutgoingMessage(row_id.encode(), value, REPLAYED_HEADERS if replayed else STRUCTURED_HEADERS)


def removal_message(row: UUID) -> OutgoingMessage:
    """The tombstone of a row, by the key of its records."""
    return OutgoingMessage(str(row).encode(), None, [])


def provenance_record(stored: StoredRow) -> ProvenanceRecorded:
    """The provenance record of a row as it is in the table."""
    row_id = msgspec.json.encode(stored.content.id)[1:-1].decode()  # as str(…) does, four times as fast
    naive = stored.content.created_at
    created_at = datetime.combine(naive, naive.time(), UTC)  # as replace(tzinfo=UTC) does, five times as fast
    values = [*astuple(stored.content), *astuple(stored.root), stored.revision, stored.recorded_at]
    values[_CREATED_AT] = created_at
    data = Provenance(*_in_order_of_provenance(values))
    if isinstance(data.metadata, msgspec.Raw):
        data = _without(data, "metadata")
    if isinstance(data.preview_data, msgspec.Raw):
        data = _without(data, "preview_data")
    return ProvenanceRecorded(
        id=f"{row_id}/{stored.revision}",
        source=PROVENANCE_SOURCE,
        time=created_at,
        specversion="1.0",
        data=data,
    )


def _shorten(record: ProvenanceRecorded, size: int) -> ProvenanceRecorded:
    """The record without its largest fields, as few of them as suffice."""
    data = record.data
    sizes = {name: len(msgspec.json.encode(getattr(data, name))) for name in _UNBOUNDED}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if size > MAX_RECORD_BYTES:
            data = _without(data, name)
            size -= sizes[name]
    return replace(record, data=data)


def _without(data: Provenance, field: str) -> Provenance:
    name = msgspec.structs.fields(Provenance)[Provenance.__struct_fields__.index(field)].encode_name
    return replace(data, **{field: _OPTIONAL[field]}, omitted=(*data.omitted, name))


def override_message(override: RootOverrideEvent) -> OutgoingMessage:
    """An operator's override, keyed like the entity events that it is about."""
    return OutgoingMessage(lineage_key(override), encode(override), STRUCTURED_HEADERS)


def recompute_messages(source: str, jobs: Collection[str], reason: RecomputeReason) -> list[OutgoingMessage]:
    """Commands to recompute the roots below these jobs, as many as their limit of jobs requires."""
    named = sorted(jobs)
    messages = []
    for start in range(0, len(named), MAX_JOBS_PER_COMMAND):
        command = RecomputeRoots(
            id=str(uuid4()),
            source=source,
            time=datetime.now(UTC),
            specversion="1.0",
            data=RecomputeRootsData(jobs=tuple(named[start : start + MAX_JOBS_PER_COMMAND]), reason=reason),
        )
        messages.append(OutgoingMessage(command.data.jobs[0].encode(), encode(command), STRUCTURED_HEADERS))
    return messages


def backfill_message(source: str, run: UUID, data: BackfillRootsData) -> OutgoingMessage:
    """The command to backfill, under the id that its run is to have."""
    command = BackfillRoots(id=str(run), source=source, time=datetime.now(UTC), specversion="1.0", data=data)
    return _keyed_by_run(run, command)


def run_request_message(source: str, request: type[RunRequest], data: RunRequestData) -> OutgoingMessage:
    """The command to pause, resume or cancel a run."""
    command = request(id=str(uuid4()), source=source, time=datetime.now(UTC), specversion="1.0", data=data)
    return _keyed_by_run(data.run, command)


def backfill_progress_message(data: BackfillProgressedData) -> OutgoingMessage:
    """The progress of a backfill run."""
    event = BackfillProgressed(
        id=str(uuid4()), source=BACKFILL_SOURCE, time=datetime.now(UTC), specversion="1.0", data=data
    )
    return _keyed_by_run(data.run, event)


def backfill_end_message(data: BackfillEndedData) -> OutgoingMessage:
    """The end of a backfill run; published again, the event bears the same id."""
    event = BackfillEnded(
        id=f"{data.run}/ended", source=BACKFILL_SOURCE, time=datetime.now(UTC), specversion="1.0", data=data
    )
    return _keyed_by_run(data.run, event)


def _keyed_by_run(
    run: UUID, message: BackfillRoots | RunRequest | BackfillProgressed | BackfillEnded
) -> OutgoingMessage:
    """Keyed by the run: messages about one run keep their order."""
    return OutgoingMessage(str(run).encode(), encode(message), STRUCTURED_HEADERS)
