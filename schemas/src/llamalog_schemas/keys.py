"""Names that are derived from an event: its row's id and its Kafka key."""

from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from llamalog_schemas.events import EntityEvent, Event, LegacyRow, is_legacy_row, is_root_override
from llamalog_schemas.limits import UUID_TEXT


def row_id(event: Event) -> UUID:
    """The id of the row that an event becomes.

    An id in the text form of RFC 9562 (8-4-4-4-12 hexadecimal digits, either case) is that
    UUID; any other maps to ``uuid5(NAMESPACE_URL, source + "#" + id)``.
    """
    if UUID_TEXT.fullmatch(event.id):
        return msgspec.convert(event.id, UUID)  # as UUID(…) does, six times as fast
    return uuid5(NAMESPACE_URL, f"{event.source}#{event.id}")


def lineage_key(event: Event) -> bytes:
    """The Kafka key of an event: root job, else parent, else job, else entity.

    So a lineage mostly shares a partition; no reader may rely on it. An event that names
    none of them (a failure before anything existed) is keyed by its own id.
    """
    return _lineage(event).encode()


def _lineage(event: Event) -> str:
    if is_root_override(event):
        return event.data.job_id
    return _lineage_of_legacy_row(event) if is_legacy_row(event) else _lineage_of_entity(event)


def _lineage_of_entity(event: EntityEvent) -> str:
    data = event.data
    named = data.root_job_id or data.parent_job_id or data.job_id or data.entity_id
    return event.id if named is None else str(named)


def _lineage_of_legacy_row(event: LegacyRow) -> str:
    data = event.data
    named = (data.declared_root_job_id, data.parent_job_id, data.job_id, data.entity_id, event.id)
    return next(name for name in named if name)
