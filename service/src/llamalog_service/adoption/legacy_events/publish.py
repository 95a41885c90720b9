"""The telling: what no event has told is published, row by row, and goes on where it was interrupted."""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from llamalog_service.adoption.legacy_events.messages import Untellable, override_message, row_message
from llamalog_service.kafka.producer import MessageProducer, OutgoingMessage
from llamalog_service.log.eventless_rows import Eventless, EventlessRow, EventlessRowStore
from llamalog_service.retry import retry_until_available

_ROWS_AT_ONCE = 200


class Told(NamedTuple):
    """How many rows are published by now, of how many."""

    rows: int
    total: int


class PublishLegacyReport(Struct, frozen=True, rename="camel", kw_only=True):
    """What one call published and what it left.

    Attributes:
        rows, overrides: published by this call.
        went_on: whether it went on with one that was interrupted.
        untellable: rows and overrides that no event can hold, of all; they were not published.
        left: rows of which no event tells that was read, and overrides; the consumer reads what is published.
    """

    rows: int
    overrides: int
    went_on: bool
    untellable: Sequence[Untellable]
    rows_left: int
    overrides_left: int


class LegacyPublisher:
    """Tells a topic of entity events what was there before it.

    Every event follows from its row alone, and the consumer knows it as a duplicate of the row that stands
    there: to tell a row twice does no harm, so that what a crash leaves open is told again.
    """

    def __init__(
        self,
        store: EventlessRowStore,
        publisher: MessageProducer,
        topic: str,
        watch: Callable[[Told], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._topic = topic
        self._watch = watch

    async def run(self) -> PublishLegacyReport:
        """Publish every row and every override that no event has told; waits while something is away."""
        eventless = await retry_until_available(self._store.count, doing="counting rows without an event")
        after = await retry_until_available(self._store.progress, doing="looking how far the telling was")
        untellable: list[Untellable] = []
        overrides = await self._tell_overrides(untellable)
        rows = await self._tell_rows(after, eventless.rows, untellable)
        if after is not None:
            await self._look_again(after, untellable)
        await retry_until_available(self._store.finish, doing="ending the telling")
        left: Eventless = await retry_until_available(
            self._store.count, doing="counting rows without an event"
        )
        return PublishLegacyReport(
            rows=rows,
            overrides=overrides,
            went_on=after is not None,
            untellable=untellable,
            rows_left=left.rows,
            overrides_left=left.overrides,
        )

    async def _tell_overrides(self, untellable: list[Untellable]) -> int:
        overrides = await retry_until_available(self._store.overrides, doing="reading overrides")
        return await self._publish([override_message(override) for override in overrides], untellable)

    async def _tell_rows(self, after: UUID | None, total: int, untellable: list[Untellable]) -> int:
        """In the order of ids; how far it is, is kept once a batch is acknowledged."""
        told = 0
        self._watch(Told(told, total))
        while rows := await self._next(after):
            told += await self._publish([row_message(row) for row in rows], untellable)
            after = rows[-1].id
            await self._advance(after)
            self._watch(Told(told, max(told, total)))
        return told

    async def _look_again(self, last: UUID, untellable: list[Untellable]) -> None:
        """At the rows up to the last one of a telling that was interrupted: what it found went with it."""
        after = None
        while rows := await self._next(after):
            for row in rows:
                if row.id > last:
                    return
                message = row_message(row)
                if isinstance(message, Untellable):
                    untellable.append(message)
            after = rows[-1].id

    async def _next(self, after: UUID | None) -> Sequence[EventlessRow]:
        return await retry_until_available(
            lambda: self._store.next_rows(after, _ROWS_AT_ONCE), doing="reading rows without an event"
        )

    async def _advance(self, last: UUID) -> None:
        await retry_until_available(lambda: self._store.advance(last), doing="keeping how far the telling is")

    async def _publish(
        self, told: Sequence[OutgoingMessage | Untellable], untellable: list[Untellable]
    ) -> int:
        messages = [message for message in told if isinstance(message, OutgoingMessage)]
        untellable += [message for message in told if isinstance(message, Untellable)]
        if messages:
            await retry_until_available(
                lambda: self._publisher.send(self._topic, messages), doing="publishing legacy rows"
            )
        return len(messages)
