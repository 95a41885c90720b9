"""Legacy rows and untold decrees as events, each a function of the row alone: told twice it is told once."""

from datetime import UTC

from msgspec import Struct

from llamalog_schemas.codec import STRUCTURED_HEADERS, decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import Event, LegacyRow, RootAdopted, RootAdoptionRevoked, RootDecreeData
from llamalog_schemas.keys import lineage_key
from llamalog_schemas.legacy import LEGACY_SOURCE, event_time_of, moment_of
from llamalog_service.kafka.producer import OutgoingMessage
from llamalog_service.log.eventless_rows import EventlessRow
from llamalog_service.log.overrides import Decree


class Untellable(Struct, frozen=True, rename="camel"):
    """A row or a decree that no event can hold: it stays without one.

    Attributes:
        id: of the row, or of the decree.
        why: a sentence.
    """

    id: str
    why: str


def row_message(row: EventlessRow) -> OutgoingMessage | Untellable:
    """The event that tells of a row."""
    event = LegacyRow(
        id=str(row.id),
        source=LEGACY_SOURCE,
        time=event_time_of(moment_of(row.data.created_at)),
        specversion="1.0",
        data=row.data,
    )
    return _message(event)


def decree_message(decree: Decree) -> OutgoingMessage | Untellable:
    """The event that states a decree."""
    kind = RootAdopted if decree.adopted else RootAdoptionRevoked
    event = kind(
        id=str(decree.id),
        source=LEGACY_SOURCE,
        time=decree.decreed_at.replace(tzinfo=UTC),
        specversion="1.0",
        data=RootDecreeData(job_id=decree.job_id, reason=decree.reason, requested_by=decree.requested_by),
    )
    return _message(event)


def _message(event: Event) -> OutgoingMessage | Untellable:
    """As its readers will judge it."""
    value = encode(event)
    try:
        decode_event(value)
    except InvalidMessageError as invalid:
        return Untellable(event.id, invalid.sentence)
    return OutgoingMessage(lineage_key(event), value, STRUCTURED_HEADERS)
