"""Tell others of corrected rows, from the outbox."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from llamalog_service.publish.announcer import Announcer
from llamalog_service.store.backfills import BackfillStore
from llamalog_service.store.outbox import Outbox

_ROWS_AT_ONCE = 1000
_REST = 4.0
"""A backfill's rows are told in a fifth of the time while it runs: that costs as much as writing them."""


async def tell_corrections(outbox: Outbox, announcer: Announcer) -> int:
    """Publish every correction noted, then strike it out; a crash between the two tells it twice.

    Returns:
        How many rows were told.

    Raises:
        UnavailableError: what was not struck out is told at the next call.
    """
    told = await tell_removals(outbox, announcer)
    while rows := await outbox.next(_ROWS_AT_ONCE):
        await announcer.provenance(rows)
        await outbox.strike(rows)
        told += len(rows)
    return told


async def tell_removals(outbox: Outbox, announcer: Announcer) -> int:
    """Tell which rows a repair has removed; how many.

    Raises:
        UnavailableError: what was not noted as told is told at the next call.
    """
    told = 0
    while removed := await outbox.removed(_ROWS_AT_ONCE):
        await announcer.removed(removed)
        await outbox.strike_removed(removed)
        told += len(removed)
    return told


class Corrections:
    """Tells corrections portion by portion: those of repairs at once, those of backfills in their shade.

    Args:
        sleep: how it rests.
    """

    def __init__(
        self,
        outbox: Outbox,
        backfills: BackfillStore,
        announcer: Announcer,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._backfills = backfills
        self._announcer = announcer
        self._sleep = sleep

    async def tell_next(self) -> bool:
        """Tell the next portion, and give way to a backfill; False if there is nothing to tell.

        Raises:
            UnavailableError: what was not struck out is told at the next call.
        """
        await tell_removals(self._outbox, self._announcer)
        began = time.monotonic()
        prompt = await self._outbox.next_prompt(_ROWS_AT_ONCE)
        rows = prompt or await self._outbox.next(_ROWS_AT_ONCE)
        if not rows:
            return False
        await self._announcer.provenance(rows)
        await self._outbox.strike(rows)
        if not prompt and await self._backfills.any_under_way():
            await self._sleep(_REST * (time.monotonic() - began))
        return True
