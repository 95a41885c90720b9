"""Legacy rows and overrides as events, each a function of the row alone, so that publishing is idempotent."""

from datetime import UTC

from msgspec import Struct

from llamalog_schemas.codec import STRUCTURED_HEADERS, decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import Event, LegacyRow, RootAdopted, RootAdoptionRevoked, RootOverrideData
from llamalog_schemas.keys import lineage_key
from llamalog_schemas.legacy import LEGACY_SOURCE, event_time_of, parse_moment
from llamalog_service.kafka.producer import OutgoingMessage
from llamalog_service.log.eventless_rows import EventlessRow
from llamalog_service.log.overrides import RootOverride


class Untellable(Struct, frozen=True, rename="camel"):
    """A row or an override that no event can hold: it stays without one.

    Attributes:
        id: of the row, or of the override.
        why: a sentence.
    """

    id: str
    why: str


def row_message(row: EventlessRow) -> OutgoingMessage | Untellable:
    """The event that tells of a row."""
    event = LegacyRow(
        id=str(row.id),
        source=LEGACY_SOURCE,
        time=event_time_of(parse_moment(row.data.created_at)),
        specversion="1.0",
        data=row.data,
    )
    return _message(event)


def override_message(override: RootOverride) -> OutgoingMessage | Untellable:
    """The event that states an override."""
    kind = RootAdopted if override.adopted else RootAdoptionRevoked
    event = kind(
        id=str(override.id),
        source=LEGACY_SOURCE,
        time=override.decreed_at.replace(tzinfo=UTC),
        specversion="1.0",
        data=RootOverrideData(
            job_id=override.job_id, reason=override.reason, requested_by=override.requested_by
        ),
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
