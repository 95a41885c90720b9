"""Publication of overrides that the table has and their topic lacks: those of backfills, and older ones."""

from collections.abc import AsyncIterable, Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from llamalog_schemas.events import RootOverrideEvent
from llamalog_service.domain.overrides import OverrideInvalidError, RootOverride, event_of
from llamalog_service.ingest.batch import decode_batch
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.reader import Portion
from llamalog_service.log.overrides import OverrideStore
from llamalog_service.retry import retry_until_available

_SOURCE: Final = "/llamalog/overrides"
"""The CloudEvents source of overrides that were decreed before."""

_log = structlog.get_logger("llamalog.backfill")


class UnpublishableOverride(Struct, frozen=True, rename="camel"):
    """An override that no event can hold, and a sentence that says why."""

    id: UUID
    why: str


class OverridesReport(Struct, frozen=True, rename="camel", kw_only=True):
    """The result of one publication.

    Attributes:
        published: by this call.
        present: overrides of the table that the topic held already.
        unpublishable: those that no event can hold.
        unread: those whose event the provenance consumer has not read yet.
    """

    published: int
    present: int
    unpublishable: Sequence[UnpublishableOverride]
    unread: int


class OverrideRelay:
    """Publishes the overrides that backfills write."""

    def __init__(self, store: OverrideStore, event_publisher: EventPublisher) -> None:
        self._store = store
        self._event_publisher = event_publisher

    async def publish_next(self) -> bool:
        """Publish some of them; False if none is left.

        Raises:
            UnavailableError: the next call repeats what was not acknowledged.
        """
        overrides = await self._store.to_publish()
        events, refused = _events(overrides)
        for one in refused:
            _log.warning("override not published", override=str(one.id), reason=one.why)
        await self._event_publisher.publish_overrides(events)
        await self._store.mark_published(overrides)
        return bool(overrides)


async def publish_missing(
    store: OverrideStore, event_publisher: EventPublisher, topic: AsyncIterable[Portion]
) -> OverridesReport:
    """Publish every override of the table that the topic lacks; waits while Kafka or PostgreSQL is away.

    Args:
        topic: all that the topic of overrides holds.

    Raises:
        UnavailableError: the topic cannot be read, or PostgreSQL is away; the next call goes on.
    """
    held = await _ids(topic)
    published = present = 0
    unpublishable: list[UnpublishableOverride] = []
    async for page in store.pages():
        missing = [one for one in page if one.id not in held]
        events, refused = _events(missing)
        await _publish(event_publisher, events)
        await store.mark_published(missing)
        published += len(events)
        present += len(page) - len(missing)
        unpublishable += refused
    return OverridesReport(
        published=published,
        present=present,
        unpublishable=unpublishable,
        unread=await store.count_unsourced(),
    )


async def _publish(event_publisher: EventPublisher, events: Collection[RootOverrideEvent]) -> None:
    await retry_until_available(
        lambda: event_publisher.publish_overrides(events), doing="publishing overrides"
    )


async def _ids(topic: AsyncIterable[Portion]) -> set[UUID]:
    """The ids of the overrides that the topic holds."""
    return {one.id async for portion in topic for one in decode_batch(portion.records).overrides}


def _events(
    overrides: Iterable[RootOverride],
) -> tuple[list[RootOverrideEvent], list[UnpublishableOverride]]:
    events: list[RootOverrideEvent] = []
    refused: list[UnpublishableOverride] = []
    for override in overrides:
        try:
            events.append(event_of(override, _SOURCE))
        except OverrideInvalidError as invalid:
            refused.append(UnpublishableOverride(override.id, invalid.sentence))
    return events, refused
