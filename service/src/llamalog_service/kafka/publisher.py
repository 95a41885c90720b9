"""Everything that the service says, each on its topic."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from llamalog_schemas.backfills import BackfillEndedData, BackfillProgressedData
from llamalog_schemas.commands import RecomputeReason
from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.backfill_events import publish_end, publish_progress
from llamalog_service.kafka.commands import publish_recompute
from llamalog_service.kafka.dead_letters import RejectedRecord, publish_dead_letters
from llamalog_service.kafka.producer import MessageProducer
from llamalog_service.kafka.provenance import provenance_message, removal_message
from llamalog_service.kafka.topics import Topics


class EventPublisher:
    """The service's voice. Every method returns once all is acknowledged, or raises UnavailableError."""

    def __init__(self, publisher: MessageProducer, topics: Topics, source: str) -> None:
        self._publisher = publisher
        self._topics = topics
        self._source = source

    async def publish_provenance(self, rows: Iterable[StoredRow], *, replayed: bool = False) -> None:
        """Tell others the rows as they stand; telling one again is harmless.

        Args:
            replayed: mark them as told again because somebody asked for it.
        """
        await self._publisher.send_batched(
            self._topics.provenance.name, [provenance_message(row, replayed=replayed) for row in rows]
        )

    async def publish_removals(self, rows: Iterable[UUID]) -> None:
        """Tell others that rows are in the log no more: compaction drops what was told of them."""
        await self._publisher.send_batched(
            self._topics.provenance.name, [removal_message(row) for row in rows]
        )

    async def publish_dead_letters(self, letters: Sequence[RejectedRecord]) -> None:
        """Keep bad messages, with the reason, for operators."""
        if letters:
            await publish_dead_letters(self._publisher, self._topics.dead_letters.name, letters)

    async def request_recompute(self, jobs: Collection[str], reason: RecomputeReason) -> None:
        """Ask the migration consumer for the roots below these jobs."""
        if jobs:
            await publish_recompute(
                self._publisher, self._topics.backfill_commands.name, self._source, jobs, reason
            )

    async def publish_backfill_progress(self, data: BackfillProgressedData) -> None:
        """Tell operators how far a backfill is."""
        await publish_progress(self._publisher, self._topics.backfill_events.name, data)

    async def publish_backfill_end(self, data: BackfillEndedData) -> None:
        """Tell operators how a backfill ended; telling it again is harmless."""
        await publish_end(self._publisher, self._topics.backfill_events.name, data)
