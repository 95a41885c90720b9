"""Rows told again as they stand, for readers who have lost what they were told."""

import asyncio
import time
from uuid import UUID

from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore
from llamalog_service.rebuild.reading import Progress, Watch
from llamalog_service.rebuild.republish_store import RepublishingStore, Which
from llamalog_service.retry import retry_until_available

_ROWS_AT_ONCE = 500


class Republishing:
    """Tells rows again, marked as replayed, while the service goes on.

    Args:
        rate: rows a second at most; None: as fast as can be.
    """

    def __init__(
        self,
        rows: RepublishingStore,
        log: LogStore,
        event_publisher: EventPublisher,
        *,
        rate: float | None = None,
        watch: Watch = lambda _: None,
    ) -> None:
        self._rows = rows
        self._log = log
        self._event_publisher = event_publisher
        self._rate = rate
        self._watch = watch

    async def run(self, which: Which, *, resume: bool = False) -> int:
        """Tell every row that is meant; how many. Retries while Kafka or PostgreSQL is away.

        Args:
            resume: go on behind what an interrupted telling of the same rows has told, if there was one.
        """
        after = await self._begin(which, resume=resume)
        total = await retry_until_available(
            lambda: self._rows.count(which, after), doing="counting", may_take_long=True
        )
        at_once = _ROWS_AT_ONCE if self._rate is None else max(1, min(_ROWS_AT_ONCE, round(self._rate)))
        began, done = time.monotonic(), 0
        while ids := await self._next(which, after, at_once):
            done += await self._tell(ids)
            after = ids[-1]
            await self._advance(which, after)
            self._watch(Progress("telling rows again", done, max(done, total)))
            if self._rate is not None:
                await asyncio.sleep(max(0.0, began + done / self._rate - time.monotonic()))
        await retry_until_available(lambda: self._rows.finish(which), doing="ending the telling")
        return done

    async def _begin(self, which: Which, *, resume: bool) -> UUID | None:
        """The row behind which to go on.

        Only if that is asked for: whoever has lost all since an interruption wants all.
        """
        if not resume:
            await retry_until_available(lambda: self._rows.finish(which), doing="beginning the telling")
            return None
        return await retry_until_available(
            lambda: self._rows.progress(which), doing="looking how far the telling was"
        )

    async def _advance(self, which: Which, last: UUID) -> None:
        await retry_until_available(
            lambda: self._rows.advance(which, last), doing="keeping how far the telling is"
        )

    async def _next(self, which: Which, after: UUID | None, limit: int) -> list[UUID]:
        return await retry_until_available(
            lambda: self._rows.next(which, after, limit), doing="reading rows", may_take_long=True
        )

    async def _tell(self, ids: list[UUID]) -> int:
        """What is corrected while it is told is noted, so that the latest comes last."""

        async def tell() -> int:
            stored = list((await self._log.rows_by_id(ids)).values())
            await self._event_publisher.publish_provenance(stored, replayed=True)
            await self._log.note_overtaken(stored)
            return len(stored)

        return await retry_until_available(tell, doing="telling rows again")
