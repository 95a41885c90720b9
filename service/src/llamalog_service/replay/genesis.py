"""Tell what has no event: rows that were there before events existed, and decrees.

After it the topic holds everything, and a rebuild gives every row.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from llamalog_service.publish.genesis import decree_message, legacy_row_message, told
from llamalog_service.publish.producer import OutgoingMessage, Publisher
from llamalog_service.replay.reading import Progress, Watch
from llamalog_service.store.genesis import GenesisStore, What
from llamalog_service.waiting import when_available

_AT_ONCE = 500


class Told(NamedTuple):
    """What a call has told, and the ids of what no event can say or no topic takes."""

    rows: int
    decrees: int
    untellable: tuple[UUID, ...]


class Genesis:
    """Tells it in the order of ids, portion by portion; interrupted, the next call goes on."""

    def __init__(self, store: GenesisStore, publisher: Publisher, topic: str, watch: Watch) -> None:
        self._store = store
        self._publisher = publisher
        self._topic = topic
        self._watch = watch
        self._untellable: list[UUID] = []

    async def run(self) -> Told:
        """Tell what is left; waits while Kafka or PostgreSQL is away."""
        left = await when_available(self._store.left, doing="counting what has no event", may_take_long=True)
        decrees = await self._tell("decrees", left.decrees)
        rows = await self._tell("rows", left.rows)
        return Told(rows, decrees, tuple(self._untellable))

    async def _tell(self, what: What, left: int) -> int:
        count, after = 0, (await self._store.standing())[what].last_told
        self._watch(Progress(f"telling {what}", 0, left))
        while portion := await self._portion(what, after):
            ids, messages = zip(*portion, strict=True)
            self._untellable += [row for row, message in portion if message is None]
            after = ids[-1]
            await self._publish(told(messages))
            await self._note(what, after, len(portion))
            count += len(portion)
            self._watch(Progress(f"telling {what}", count, left))
        return count

    async def _portion(self, what: What, after: UUID | None) -> Sequence[tuple[UUID, OutgoingMessage | None]]:
        if what == "rows":
            now = datetime.now(UTC)
            rows = await when_available(lambda: self._store.rows(after, _AT_ONCE), doing="reading rows")
            return [(row.id, legacy_row_message(row.id, row.data, now)) for row in rows]
        decrees = await when_available(lambda: self._store.decrees(after, _AT_ONCE), doing="reading decrees")
        return [
            (
                decree.id,
                decree_message(
                    decree.id,
                    job=decree.job_id,
                    adopted=decree.adopted,
                    reason=decree.reason,
                    requested_by=decree.requested_by,
                    decreed_at=decree.decreed_at,
                ),
            )
            for decree in decrees
        ]

    async def _publish(self, messages: Sequence[OutgoingMessage]) -> None:
        await when_available(
            lambda: self._publisher.publish(self._topic, messages), doing="telling what has no event"
        )

    async def _note(self, what: What, last: UUID, count: int) -> None:
        await when_available(lambda: self._store.note(what, last, count), doing="noting what was told")
