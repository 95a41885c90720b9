"""Provenance for FastStream applications: a handler that gets each update once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from llamalog_schemas.consumer.starts import Assignments, Committed, Start
from llamalog_schemas.consumer.updates import (
    DEFAULT_TOPIC,
    Deduplicator,
    ProvenanceUpdate,
    RevisionCache,
    RevisionStore,
    UnreadableRecord,
)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

Handler = Callable[[ProvenanceUpdate], Awaitable[None]]


def provenance_subscriber(
    broker: KafkaBroker,
    *,
    group: str,
    topic: str = DEFAULT_TOPIC,
    start: Start | None = None,
    revisions: RevisionStore | None = None,
    on_unreadable: Callable[[UnreadableRecord], object] | None = None,
    max_records: int = 500,
) -> Callable[[Handler], Handler]:
    """Decorate the handler of updates.

    A batch is committed once the handler has returned for each of its updates. Where it raises, the rest of
    the batch comes again after a pause that grows from half a second to thirty; with `revisions` of the
    handler's own store, without the updates that it has processed.

    Args:
        broker: to which the subscriber is added; before it starts.
        group: the consumer group.
        topic: of provenance records.
        start: the first positions; None: the committed ones.
        revisions: the processed ones; None: a `RevisionCache`.
        on_unreadable: called with each record that is no provenance record.
        max_records: the largest batch.
    """

    async def raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaAckableMessage:
        """A parser that decodes nothing: one unreadable record must not fail the whole batch."""
        return KafkaAckableMessage(body=b"", raw_message=records, consumer=subscriber.consumer)

    subscriber = broker.subscriber(
        topic,
        batch=True,
        group_id=group,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        auto_offset_reset="earliest",
        max_records=max_records,
        parser=raw_batch,
        decoder=_raw_records,
        listener=Assignments(lambda: subscriber.consumer, start or Committed()),
    )

    def register(handler: Handler) -> Handler:
        batches = _Batches(Deduplicator(revisions or RevisionCache(), on_unreadable), handler)

        @subscriber
        async def deliver(records: tuple[ConsumerRecord, ...]) -> None:
            await batches.deliver(records)

        return handler

    return register


class _Batches:
    """Passes the updates of batches to the handler, and pauses after a failed batch."""

    def __init__(self, deduplicator: Deduplicator, handler: Handler) -> None:
        self._deduplicator = deduplicator
        self._handler = handler
        self._pause = 0.0

    async def deliver(self, records: Sequence[ConsumerRecord]) -> None:
        try:
            for _, of_partition in groupby(records, key=attrgetter("partition")):
                for update in await self._deduplicator.updates(list(of_partition)):
                    await self._handler(update)
                    self._deduplicator.note(update)
        except Exception:
            # FastStream fetches a failed batch again at once: a thousand times a second.
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
            await asyncio.sleep(self._pause)
            raise
        self._pause = 0.0


async def _raw_records(message: KafkaAckableMessage) -> Any:
    """A decoder that returns the records unchanged."""
    return message.raw_message
