"""Publication of rows without an event as entity events; an interrupted one resumes.

Every event follows from its row alone, and the consumer knows it as a duplicate of that row: publishing a row
twice does no harm, so that a crash between publishing and keeping the progress needs no care.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.codec import STRUCTURED_HEADERS, decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import LegacyRow, lineage_key
from llamalog_schemas.legacy import LEGACY_SOURCE, event_time_of, parse_moment
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.log.unsourced_rows import UnsourcedRow, UnsourcedRowStore
from llamalog_service.retry import retry_until_available

_PAGE_ROWS = 200


class Unpublishable(Struct, frozen=True, rename="camel"):
    """A row that no event can hold: it stays without one.

    Attributes:
        id: of the row.
        why: a sentence.
    """

    id: str
    why: str


class PublishProgress(NamedTuple):
    """Rows published, of rows in total."""

    rows: int
    total: int


class PublishLegacyReport(Struct, frozen=True, rename="camel", kw_only=True):
    """The result of one publication of legacy events.

    Attributes:
        rows: published by this call.
        resumed: whether it continued an interrupted call.
        unpublishable: all rows that no event can hold; they were not published.
        rows_left, overrides_left: rows, and overrides, whose event the consumer has not read yet.
    """

    rows: int
    resumed: bool
    unpublishable: Sequence[Unpublishable]
    rows_left: int
    overrides_left: int


class LegacyPublisher:
    """Publishes every row without an event to a topic of entity events."""

    def __init__(
        self,
        store: UnsourcedRowStore,
        publisher: MessageProducer,
        topic: str,
        on_progress: Callable[[PublishProgress], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._topic = topic
        self._on_progress = on_progress

    async def run(self) -> PublishLegacyReport:
        """Publish every row that has no event; waits while Kafka or PostgreSQL is away."""
        unsourced = await retry_until_available(self._store.count, doing="counting rows without an event")
        after = await retry_until_available(self._store.progress, doing="reading the publication's progress")
        unpublishable: list[Unpublishable] = []
        rows = await self._publish_rows(after, unsourced.rows, unpublishable)
        if after is not None:
            await self._recheck_up_to(after, unpublishable)
        await retry_until_available(self._store.finish, doing="ending the publication")
        left = await retry_until_available(self._store.count, doing="counting rows without an event")
        return PublishLegacyReport(
            rows=rows,
            resumed=after is not None,
            unpublishable=unpublishable,
            rows_left=left.rows,
            overrides_left=left.overrides,
        )

    async def _publish_rows(self, after: UUID | None, total: int, unpublishable: list[Unpublishable]) -> int:
        """Publish in the order of ids; the progress is kept once a page is acknowledged."""
        published = 0
        self._on_progress(PublishProgress(published, total))
        while rows := await self._next(after):
            published += await self._publish([row_message(row) for row in rows], unpublishable)
            after = rows[-1].id
            await self._advance(after)
            self._on_progress(PublishProgress(published, max(published, total)))
        return published

    async def _recheck_up_to(self, last: UUID, unpublishable: list[Unpublishable]) -> None:
        """Collect the unpublishable rows of the interrupted call again: its findings were lost with it."""
        after = None
        while rows := await self._next(after):
            for row in rows:
                if row.id > last:
                    return
                message = row_message(row)
                if isinstance(message, Unpublishable):
                    unpublishable.append(message)
            after = rows[-1].id

    async def _next(self, after: UUID | None) -> Sequence[UnsourcedRow]:
        return await retry_until_available(
            lambda: self._store.next_rows(after, _PAGE_ROWS), doing="reading rows without an event"
        )

    async def _advance(self, last: UUID) -> None:
        await retry_until_available(
            lambda: self._store.advance(last), doing="keeping the publication's progress"
        )

    async def _publish(
        self, results: Sequence[MessageToSend | Unpublishable], unpublishable: list[Unpublishable]
    ) -> int:
        messages = [result for result in results if isinstance(result, MessageToSend)]
        unpublishable += [result for result in results if isinstance(result, Unpublishable)]
        if messages:
            await retry_until_available(
                lambda: self._publisher.send(self._topic, messages), doing="publishing legacy rows"
            )
        return len(messages)


def row_message(row: UnsourcedRow) -> MessageToSend | Unpublishable:
    """The legacy-row event of a row, if its readers would accept it."""
    event = LegacyRow(
        id=str(row.id),
        source=LEGACY_SOURCE,
        time=event_time_of(parse_moment(row.data.created_at)),
        specversion="1.0",
        data=row.data,
        erased=row.erased or None,
    )
    value = encode(event)
    try:
        decode_event(value)
    except InvalidMessageError as invalid:
        return Unpublishable(event.id, invalid.sentence)
    return MessageToSend(lineage_key(event), value, STRUCTURED_HEADERS)
