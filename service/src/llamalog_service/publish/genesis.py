"""Rows and decrees that have no event, told as events of the service's own."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from llamalog_schemas.codec import STRUCTURED_HEADERS, decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import (
    Event,
    LegacyRowRecorded,
    RootAdopted,
    RootAdoptionRevoked,
    RootDecreeData,
)
from llamalog_schemas.keys import lineage_key
from llamalog_schemas.legacy import LegacyRowData
from llamalog_service.publish.producer import OutgoingMessage
from llamalog_service.publish.topics import MAX_MESSAGE_BYTES

SOURCE: Final = "/llamalog/genesis"
LARGEST_EVENT: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""Bytes of an event that the topic takes, compressed."""


def legacy_row_message(row: UUID, data: LegacyRowData, now: datetime) -> OutgoingMessage | None:
    """A row as an event that bears its id; None if the topic does not take it."""
    return _message(LegacyRowRecorded(id=str(row), source=SOURCE, time=now, specversion="1.0", data=data))


def decree_message(
    decree: UUID, *, job: str, adopted: bool, reason: str, requested_by: str, decreed_at: datetime
) -> OutgoingMessage | None:
    """A kept decree as the event that it would have come from; None if no valid event can say it."""
    return _message(
        (RootAdopted if adopted else RootAdoptionRevoked)(
            id=str(decree),
            source=SOURCE,
            time=decreed_at.replace(tzinfo=UTC),
            specversion="1.0",
            data=RootDecreeData(job_id=job, reason=reason, requested_by=requested_by),
        )
    )


def _message(event: Event) -> OutgoingMessage | None:
    value = encode(event)
    try:
        decode_event(value)
    except InvalidMessageError:
        return None
    if len(value) > LARGEST_EVENT and len(gzip.compress(value)) > LARGEST_EVENT:
        return None
    return OutgoingMessage(lineage_key(event), value, STRUCTURED_HEADERS)


def told(messages: Iterable[OutgoingMessage | None]) -> list[OutgoingMessage]:
    """Those that there are."""
    return [message for message in messages if message is not None]
