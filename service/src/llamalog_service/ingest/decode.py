"""Judge each message of a batch by itself: an event, a dead letter, or a tombstone to skip."""

from collections.abc import Sequence
from typing import NamedTuple

from llamalog_schemas.codec import decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import is_root_override
from llamalog_service.domain.rows import Content, content_of
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.kafka.dead_letters import Record, RejectedRecord
from llamalog_service.log.overrides import RootOverride, override_of


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


def decode_batch(records: Sequence[Record]) -> DecodedBatch:
    """Decode and validate record by record: a bad one never touches its neighbours."""
    decoded = DecodedBatch([], [], [], [], [], 0)
    rows, sources, overrides, override_sources, rejected, tombstones = decoded
    for record in records:
        if record.value is None:
            tombstones += 1
            continue
        try:
            event = decode_event(record.value, record.headers)
        except InvalidMessageError as invalid:
            rejected.append(RejectedRecord(record, DeadLetter(invalid.reason, invalid.sentence)))
            continue
        if is_root_override(event):
            overrides.append(override_of(event))
            override_sources.append(record)
        else:
            rows.append(content_of(event))
            sources.append(record)
    return decoded._replace(tombstones=tombstones)
