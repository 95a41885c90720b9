"""Judge each message of a batch by itself: an event, a dead letter, or a tombstone to skip."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.codec import decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import is_decree, is_legacy_row
from llamalog_service.domain.rows import RowContent, content_of
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.publish.dead_letters import Letter, Record
from llamalog_service.store.decrees import Decree, decree_of


class Decoded(NamedTuple):
    """A batch by kind, in the order of arrival.

    `rows` and `records` run in step, and so do `decrees` and `decree_records`; `legacy` are the ids of rows
    that were there before events existed.
    """

    rows: list[RowContent]
    records: list[Record]
    decrees: list[Decree]
    decree_records: list[Record]
    letters: list[Letter]
    legacy: set[UUID]
    tombstones: int


def decode_batch(records: Sequence[Record]) -> Decoded:
    """Decode and validate record by record: a bad one never touches its neighbours."""
    decoded = Decoded([], [], [], [], [], set(), 0)
    rows, sources, decrees, decree_sources, letters, legacy, tombstones = decoded
    for record in records:
        if record.value is None:
            tombstones += 1
            continue
        try:
            event = decode_event(record.value, record.headers)
        except InvalidMessageError as invalid:
            letters.append(Letter(record, DeadLetter(invalid.reason, invalid.sentence)))
            continue
        if is_decree(event):
            decrees.append(decree_of(event))
            decree_sources.append(record)
        else:
            rows.append(content_of(event))
            sources.append(record)
            if is_legacy_row(event):
                legacy.add(rows[-1].id)
    return decoded._replace(tombstones=tombstones)
