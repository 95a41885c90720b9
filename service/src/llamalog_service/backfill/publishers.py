"""Publication by the worker: corrected rows from the outbox, and the progress and ends of backfills."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import asdict

from llamalog_schemas.backfills import BackfillEndedData, BackfillProgressedData, RunStatus
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ROWS_AT_ONCE, OutboxPage, ProvenanceOutbox, publish_removals

_OPEN = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PAUSED})
_BACKFILLS_AT_ONCE = 50
"""A request may name a thousand jobs."""
_REST_FACTOR = 4.0
"""A running backfill's corrections get a fifth of the time: publishing costs as much as writing."""
_REST_AT_ONCE = 0.25


class CorrectionRelay:
    """Publishes corrections from the outbox page by page: those of recomputes first, then those of backfills.

    Args:
        sleep: rests between pages.
    """

    def __init__(
        self,
        outbox: ProvenanceOutbox,
        backfills: BackfillStore,
        event_publisher: EventPublisher,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._backfills = backfills
        self._event_publisher = event_publisher
        self._sleep = sleep

    async def publish_next(self) -> bool:
        """Publish removals and corrections of small recomputes, else of backfills; False if none is left.

        Raises:
            UnavailableError: the next call repeats what was not deleted from the outbox.
        """
        waiting = await self._outbox.waiting()
        if waiting.removals:
            await publish_removals(self._outbox, self._event_publisher)
            return True
        if waiting.prompt:
            page = await self._outbox.next_prompt(ROWS_AT_ONCE)
            if page.rows:
                await self._publish(page)
                return True
        if waiting.corrections:
            began = time.monotonic()
            page = await self._outbox.next_bulk(ROWS_AT_ONCE)
            if page.rows:
                await self._publish_bulk(page, began)
                return True
            return (await self._outbox.waiting()).removals  # found again among rows that are gone
        return False

    async def _publish(self, page: OutboxPage) -> None:
        await self._event_publisher.publish_provenance(page.rows)
        await self._outbox.delete_page(page)

    async def _publish_bulk(self, page: OutboxPage, began: float) -> None:
        if not await self._backfills.any_running():
            await self._publish_overlapping(page)
            return
        await self._publish(page)
        await self._rest(_REST_FACTOR * (time.monotonic() - began))

    async def _rest(self, seconds: float) -> None:
        """Rest for a running backfill until a correction of a small recompute waits."""
        while seconds > 0 and not (await self._outbox.waiting()).prompt:
            await self._sleep(min(seconds, _REST_AT_ONCE))
            seconds -= _REST_AT_ONCE

    async def _publish_overlapping(self, first: OutboxPage) -> None:
        """Publish pages as long as no correction of a small recompute waits and no backfill runs.

        While a page is sent, the next one is read and the last one deleted. A page that was read and not sent
        is read again later: a small recompute may have corrected its rows once more.
        """
        sent, page = None, first
        while page.rows:
            following, waiting, is_backfilling, *_ = await _together(
                self._outbox.next_bulk(ROWS_AT_ONCE, page),
                self._outbox.waiting(),
                self._backfills.any_running(),
                self._event_publisher.publish_provenance(page.rows),
                *([self._outbox.delete_page(sent)] if sent else []),
            )
            sent, page = page, following
            if waiting.prompt or is_backfilling:
                break
        if sent is not None:
            await self._outbox.delete_page(sent)


async def _together(*doing: Awaitable[Any]) -> list[Any]:
    """The results of all; if one fails, the others are cancelled and have ended when its error is raised."""
    tasks = [asyncio.ensure_future(one) for one in doing]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class ProgressPublisher:
    """Publishes every change of open backfills since its last call, and every unpublished end."""

    def __init__(self, backfills: BackfillStore, event_publisher: EventPublisher) -> None:
        self._backfills = backfills
        self._event_publisher = event_publisher
        self._published_up_to = (datetime.min.replace(tzinfo=UTC), UUID(int=0))

    async def publish_changes(self) -> bool:
        """Publish some of them; whether more may be left.

        Raises:
            UnavailableError: the next call publishes the rest.
        """
        changed = await self._backfills.unpublished(self._published_up_to, _BACKFILLS_AT_ONCE)
        for backfill in changed:
            if backfill.status in _OPEN:
                await self._event_publisher.publish_backfill_progress(progress_of(backfill))
                self._published_up_to = (backfill.updated_at, backfill.id)
            else:
                await self._event_publisher.publish_backfill_end(end_of(backfill))
                await self._backfills.mark_published(backfill.id)
        return len(changed) == _BACKFILLS_AT_ONCE


def progress_of(backfill: Backfill) -> BackfillProgressedData:
    """The progress event of a backfill."""
    return BackfillProgressedData(
        run=backfill.id,
        status=backfill.status,
        phase=backfill.phase,
        requested_by=backfill.requested_by,
        dry_run=backfill.request.dry_run,
        rows=backfill.plan.rows if backfill.plan is not None else 0,
        scanned=backfill.scanned,
        set_=backfill.set,
        left=backfill.scanned - backfill.set,
        by_class=backfill.by_class,
        rows_per_second=backfill.rows_per_second,
    )


def end_of(backfill: Backfill) -> BackfillEndedData:
    """The end event of a backfill."""
    return BackfillEndedData(**asdict(progress_of(backfill)), error=backfill.error, report=backfill.report)
