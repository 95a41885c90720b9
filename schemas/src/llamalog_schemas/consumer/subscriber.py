"""Provenance for FastStream applications: a handler that is given each news once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from llamalog_schemas.consumer.news import (
    DEFAULT_TOPIC,
    News,
    RememberedRevisions,
    Revisions,
    Sieve,
    Unreadable,
)
from llamalog_schemas.consumer.starts import Assignments, Committed, Start

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

Handler = Callable[[News], Awaitable[None]]


def provenance_subscriber(
    broker: KafkaBroker,
    *,
    group: str,
    topic: str = DEFAULT_TOPIC,
    start: Start | None = None,
    revisions: Revisions | None = None,
    on_unreadable: Callable[[Unreadable], object] | None = None,
    max_records: int = 500,
) -> Callable[[Handler], Handler]:
    """Decorate the handler of news.

    A batch is committed once the handler has returned for each of its news. Where it raises, the rest of
    the batch comes again after a pause that grows from half a second to thirty; with `revisions` of the
    handler's own store, without the news that it has dealt with.

    Args:
        broker: to which the subscriber is added; before it starts.
        group: the consumer group.
        topic: where provenance records are.
        start: where to begin; None: where the group has committed.
        revisions: which news were dealt with; None: in memory, bounded.
        on_unreadable: is told each record that is no provenance record.
        max_records: the largest batch.
    """

    async def raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaAckableMessage:
        """A parser that reads nothing: what is no provenance record must not fail the whole batch."""
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
        batches = _Batches(Sieve(revisions or RememberedRevisions(), on_unreadable), handler)

        @subscriber
        async def deliver(records: tuple[ConsumerRecord, ...]) -> None:
            await batches.deliver(records)

        return handler

    return register


class _Batches:
    """Hands the news of batches to the handler, and holds a batch back that failed."""

    def __init__(self, sieve: Sieve, handler: Handler) -> None:
        self._sieve = sieve
        self._handler = handler
        self._pause = 0.0

    async def deliver(self, records: Sequence[ConsumerRecord]) -> None:
        try:
            for _, of_partition in groupby(records, key=attrgetter("partition")):
                for news in await self._sieve.news(list(of_partition)):
                    await self._handler(news)
                    self._sieve.note(news)
        except Exception:
            # FastStream reads a batch again at once that failed: a thousand times a second.
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
            await asyncio.sleep(self._pause)
            raise
        self._pause = 0.0


async def _raw_records(message: KafkaAckableMessage) -> Any:
    """A decoder that hands the records over as they came."""
    return message.raw_message
