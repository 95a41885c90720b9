"""A stored row as the provenance record that others read."""

from datetime import UTC, datetime
from operator import itemgetter
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import astuple, replace

from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.provenance import PROVENANCE_SOURCE, Provenance, ProvenanceRecorded
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.kafka.producer import OutgoingMessage
from llamalog_service.kafka.topics import MAX_MESSAGE_BYTES

LARGEST_RECORD: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""Bytes of a record that every topic takes: more than an event can bring, but a legacy row has no bounds."""

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
_SAID_AT_LENGTH = (
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
"""Of records that somebody asked to be told again."""


def provenance_message(stored: StoredRow, *, replayed: bool = False) -> OutgoingMessage:
    """The record of a row as it stands in the table, keyed by the row's id: compaction keeps its latest.

    What no reader could decode, and what would make it too large for the topic, is left out and named.
    """
    record = provenance_of(stored)
    value = encode(record)
    if len(value) > LARGEST_RECORD:
        value = encode(_cut(record, len(value)))
    row_id, _, _ = record.id.partition("/")
    return OutgoingMessage(row_id.encode(), value, REPLAYED_HEADERS if replayed else STRUCTURED_HEADERS)


def removal_message(row: UUID) -> OutgoingMessage:
    """The tombstone of a row, by the key of its records."""
    return OutgoingMessage(str(row).encode(), None, [])


def provenance_of(stored: StoredRow) -> ProvenanceRecorded:
    """The provenance record of a row as it stands in the table."""
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


def _cut(record: ProvenanceRecorded, size: int) -> ProvenanceRecorded:
    """The record without as few of its largest fields as will do."""
    data = record.data
    sizes = {name: len(msgspec.json.encode(getattr(data, name))) for name in _SAID_AT_LENGTH}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if size > LARGEST_RECORD:
            data = _without(data, name)
            size -= sizes[name]
    return replace(record, data=data)


def _without(data: Provenance, field: str) -> Provenance:
    name = msgspec.structs.fields(Provenance)[Provenance.__struct_fields__.index(field)].encode_name
    return replace(data, **{field: _OPTIONAL[field]}, omitted=(*data.omitted, name))
