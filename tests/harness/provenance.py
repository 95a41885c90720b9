"""What a reader of the provenance topic believes, and what the table would have it believe."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.provenance import Provenance
from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.publisher import provenance_message


def believed(values: Iterable[bytes | None]) -> dict[UUID, Provenance]:
    """The highest revision of each row, of the records that these messages are; tombstones passed over."""
    newest: dict[UUID, Provenance] = {}
    for value in values:
        if value is None:
            continue
        record = decode_provenance(value).data
        known = newest.get(record.id)
        if known is None or record.revision > known.revision:
            newest[record.id] = record
    return newest


def as_stored(stored: Mapping[UUID, StoredRow]) -> dict[UUID, Provenance]:
    """What is to be believed once all is published."""
    return believed(provenance_message(row).value for row in stored.values())
