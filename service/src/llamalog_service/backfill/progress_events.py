"""Tell operators of backfills, by what the database says of them."""

from datetime import UTC, datetime

from llamalog_schemas.backfills import RunStatus
from llamalog_service.backfill.report import end_of, progress_of
from llamalog_service.backfill.run_store import BackfillStore
from llamalog_service.kafka.publisher import EventPublisher

_OPEN = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PAUSED})


class ProgressEvents:
    """Tells what changed since it told last; an end that nobody was told of, whenever it came."""

    def __init__(self, backfills: BackfillStore, event_publisher: EventPublisher) -> None:
        self._backfills = backfills
        self._event_publisher = event_publisher
        self._told_up_to = datetime.min.replace(tzinfo=UTC)

    async def tell(self) -> bool:
        """Tell it; False always: there is no hurry for more.

        Raises:
            UnavailableError: what was not told is told at the next call.
        """
        for backfill in await self._backfills.untold(self._told_up_to):
            if backfill.status in _OPEN:
                await self._event_publisher.publish_backfill_progress(progress_of(backfill))
                self._told_up_to = max(self._told_up_to, backfill.updated_at)
            else:
                await self._event_publisher.publish_backfill_end(end_of(backfill))
                await self._backfills.mark_told(backfill.id)
        return False
