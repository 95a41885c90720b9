"""A dead letter corrected: its message, changed, is sent as an event; a row in its way is retracted.

Repeating a correction is harmless: the event has the same id again, and is a duplicate.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import EntityEvent, is_legacy_row, is_override, lineage_key, row_id, row_id_of
from llamalog_service.dead_letters.selection import DeadLetterNotFoundError
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.ingest.batch import CONFLICT
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.dead_letters import DeadLetterPosition, DeadLetterReader, StoredDeadLetter
from llamalog_service.kafka.publisher import REPLAYED_HEADERS
from llamalog_service.kafka.reader import Span

Document = dict[str, Any]
"""An event as JSON."""


class CorrectionInvalidError(LlamalogError):
    """A dead letter cannot be corrected in this way."""

    def __init__(self, dead_letter: StoredDeadLetter, sentence: str) -> None:
        super().__init__(
            f"The dead letter {dead_letter.position} (of {dead_letter.came_from}) is not corrected: "
            f"{sentence}. Nothing was sent."
        )


class Correction(NamedTuple):
    """The correction of a dead letter.

    Attributes:
        event: to be sent to the topic of entity events.
        retracts: the row that bears the event's former id, and is taken back first; None: there is none.
    """

    event: EntityEvent
    retracts: UUID | None


async def find_dead_letter(reader: DeadLetterReader, position: DeadLetterPosition) -> StoredDeadLetter:
    """The dead letter at a position of its topic.

    Raises:
        DeadLetterNotFoundError: none is there, or no longer.
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: Kafka does not answer.
    """
    span = (await reader.spans()).get(position.partition)
    if span is not None and span.first <= position.offset < span.end:
        one = {position.partition: Span(position.offset, position.offset + 1)}
        async with aclosing(reader.read(one)) as batches:
            async for batch in batches:
                for dead_letter in batch:
                    return dead_letter
    raise DeadLetterNotFoundError(position)


def document_of(dead_letter: StoredDeadLetter) -> Document:
    """The event of a dead letter as JSON, to be changed.

    Raises:
        CorrectionInvalidError: it is no JSON object, or was not kept whole.
    """
    if dead_letter.truncated is not None:
        raise CorrectionInvalidError(dead_letter, f"only the beginning is kept ({dead_letter.truncated})")
    try:
        document = json.loads(dead_letter.value or b"")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "type" not in document:
        raise CorrectionInvalidError(
            dead_letter, "its value is no CloudEvent in structured JSON; give the whole of the right event"
        )
    return document


def with_values(document: Document, values: Mapping[str, Any]) -> Document:
    """The event with other values, each by its path, such as ``data.status``; None removes one."""
    changed: Document = json.loads(json.dumps(document))
    for path, value in values.items():
        *parents, last = path.split(".")
        place = changed
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return changed


def correction_of(dead_letter: StoredDeadLetter, document: Document) -> Correction:
    """The correction of a dead letter by the right event.

    One that was refused because its id is recorded with another content gets a new id, which follows from the
    old one and the coordinates of the message; the row that bears the old id is to be retracted.

    Raises:
        CorrectionInvalidError: the contract refuses the event, or it is none of an entity.
    """
    retracts = None
    if dead_letter.reason == CONFLICT:
        retracts = _recorded_row(dead_letter, document)
        document = document | {"id": str(uuid5(retracts, str(dead_letter.came_from)))}
    try:
        event = decode_event(json.dumps(document).encode())
    except (InvalidMessageError, RecursionError) as invalid:
        raise CorrectionInvalidError(dead_letter, f"the contract refuses the event: {invalid}") from invalid
    if is_override(event) or is_legacy_row(event):
        raise CorrectionInvalidError(dead_letter, "it is no event about an entity")
    return Correction(event, None if retracts == row_id(event) else retracts)


def _recorded_row(dead_letter: StoredDeadLetter, document: Document) -> UUID:
    source, event_id = document.get("source"), document.get("id")
    if not isinstance(source, str) or not isinstance(event_id, str):
        raise CorrectionInvalidError(dead_letter, "its `source` and `id` have to name the row in its way")
    return row_id_of(source, event_id)


Retract = Callable[[UUID], Awaitable[None]]
Send = Callable[[MessageToSend], Awaitable[None]]


async def send_correction(correction: Correction, *, retract: Retract, send: Send) -> None:
    """Take back the row that is in the way, then send the event.

    Raises:
        LlamalogError: as of `retract` and `send`; repeating is safe.
    """
    if correction.retracts is not None:
        await retract(correction.retracts)
    event = correction.event
    await send(MessageToSend(lineage_key(event), encode(event), REPLAYED_HEADERS))


CORRECTED: Final = "It corrects the dead letter of {came_from}."
"""The reason of the retraction, where none is given."""
