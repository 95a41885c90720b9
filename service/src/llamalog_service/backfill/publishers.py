"""Publication by the worker: corrected rows from the outbox, and the progress and ends of backfills."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from msgspec.structs import asdict

from llamalog_schemas.backfills import BackfillEndedData, BackfillProgressedData, RunStatus
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ROWS_AT_ONCE, Outbox, publish_removals

_OPEN = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PAUSED})
_REST_FACTOR = 4.0
"""A running backfill's corrections get a fifth of the time: publishing costs as much as writing."""


class CorrectionRelay:
    """Publishes corrections from the outbox page by page: those of repairs first, then those of backfills.

    Args:
        sleep: rests between pages.
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

    async def publish_next(self) -> bool:
        """Publish the next page, and rest for a running backfill; False if the outbox is empty.

        Raises:
            UnavailableError: the next call repeats the page.
        """
        await publish_removals(self._outbox, self._event_publisher)
        began = time.monotonic()
        prompt = await self._outbox.next_prompt(ROWS_AT_ONCE)
        rows = prompt or await self._outbox.next_bulk(ROWS_AT_ONCE)
        if not rows:
            return False
        await self._event_publisher.publish_provenance(rows)
        await self._outbox.delete_published(rows)
        if not prompt and await self._backfills.any_running():
            await self._sleep(_REST_FACTOR * (time.monotonic() - began))
        return True


class ProgressPublisher:
    """Publishes every change of open backfills since its last call, and every unpublished end."""

    def __init__(self, backfills: BackfillStore, event_publisher: EventPublisher) -> None:
        self._backfills = backfills
        self._event_publisher = event_publisher
        self._published_up_to = datetime.min.replace(tzinfo=UTC)

    async def publish_changes(self) -> bool:
        """Publish them; False always: the next call may wait.

        Raises:
            UnavailableError: the next call publishes the rest.
        """
        for backfill in await self._backfills.unpublished(self._published_up_to):
            if backfill.status in _OPEN:
                await self._event_publisher.publish_backfill_progress(progress_of(backfill))
                self._published_up_to = max(self._published_up_to, backfill.updated_at)
            else:
                await self._event_publisher.publish_backfill_end(end_of(backfill))
                await self._backfills.mark_published(backfill.id)
        return False


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
