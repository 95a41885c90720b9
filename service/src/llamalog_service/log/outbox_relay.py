"""Tell others of corrected rows, from the outbox."""

from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import Outbox

ROWS_AT_ONCE = 1000


async def tell_corrections(outbox: Outbox, event_publisher: EventPublisher) -> int:
    """Publish every correction noted, then strike it out; a crash between the two tells it twice.

    Returns:
        How many rows were told.

    Raises:
        UnavailableError: what was not struck out is told at the next call.
    """
    told = await tell_removals(outbox, event_publisher)
    while rows := await outbox.next(ROWS_AT_ONCE):
        await event_publisher.publish_provenance(rows)
        await outbox.strike(rows)
        told += len(rows)
    return told


async def tell_removals(outbox: Outbox, event_publisher: EventPublisher) -> int:
    """Tell which rows a repair has removed; how many.

    Raises:
        UnavailableError: what was not noted as told is told at the next call.
    """
    told = 0
    while removed := await outbox.removed(ROWS_AT_ONCE):
        await event_publisher.publish_removals(removed)
        await outbox.strike_removed(removed)
        told += len(removed)
    return told
