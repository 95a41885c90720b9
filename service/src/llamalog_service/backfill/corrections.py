"""The relay of corrections: what repairs and backfills have noted in the outbox, portion by portion."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from llamalog_service.backfill.run_store import BackfillStore
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ROWS_AT_ONCE, Outbox, publish_removals

_REST = 4.0
"""A backfill's rows are told in a fifth of the time while it runs: that costs as much as writing them."""


class Corrections:
    """Tells corrections portion by portion: those of repairs at once, those of backfills in their shade.

    Args:
        sleep: how it rests.
    """

    def __init__(
        self,
        outbox: Outbox,
        backfills: BackfillStore,
        event_publisher: EventPublisher,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._backfills = backfills
        self._event_publisher = event_publisher
        self._sleep = sleep

    async def tell_next(self) -> bool:
        """Tell the next portion, and give way to a backfill; False if there is nothing to tell.

        Raises:
            UnavailableError: what was not struck out is told at the next call.
        """
        await publish_removals(self._outbox, self._event_publisher)
        began = time.monotonic()
        prompt = await self._outbox.next_prompt(ROWS_AT_ONCE)
        rows = prompt or await self._outbox.next(ROWS_AT_ONCE)
        if not rows:
            return False
        await self._event_publisher.publish_provenance(rows)
        await self._outbox.delete_published(rows)
        if not prompt and await self._backfills.any_under_way():
            await self._sleep(_REST * (time.monotonic() - began))
        return True
