"""Tell others of corrected rows, from the outbox."""

from llamalog_service.publish.announcer import Announcer
from llamalog_service.store.outbox import Outbox

_ROWS_AT_ONCE = 1000


async def tell_corrections(outbox: Outbox, announcer: Announcer) -> int:
    """Publish every correction noted, then strike it out; a crash between the two tells it twice.

    Returns:
        How many rows were told.

    Raises:
        UnavailableError: what was not struck out is told at the next call.
    """
    told = 0
    while rows := await outbox.next(_ROWS_AT_ONCE):
        await announcer.provenance(rows)
        await outbox.strike(rows)
        told += len(rows)
    return told
