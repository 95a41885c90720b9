"""What the topic of backfill events tells of one run."""

from collections.abc import Collection
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from llamalog_schemas.backfills import BackfillEvent
from llamalog_schemas.codec import decode_backfill_event
from llamalog_schemas.errors import InvalidMessageError


class RunEvents:
    """The events of a run, from the oldest that is kept on.

    Args:
        consumer: a started consumer of no group, newly made: it is assigned the partitions.
        partitions: of the topic of backfill events; a run's events lie in one of them.
        run: whose events are wanted.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], run: UUID) -> None:
        consumer.assign(list(partitions))
        self._consumer = consumer
        self._key = str(run).encode()
        self.any_heard = False
        self.is_silent = False

    async def next(self, within: float) -> list[BackfillEvent]:
        """The next events in order; none where others' were read, or nothing within so many seconds.

        Which of the two it was, ``is_silent`` says; ``any_heard``, whether there ever was one.
        """
        fetched = await self._consumer.getmany(timeout_ms=int(within * 1000))
        self.is_silent = not fetched
        events = [
            event
            for records in fetched.values()
            for record in records
            if record.key == self._key and (event := _event(record)) is not None
        ]
        self.any_heard |= bool(events)
        return events


def _event(record: ConsumerRecord) -> BackfillEvent | None:
    """None for what a later version tells, or somebody else: who watches goes on watching."""
    try:
        return decode_backfill_event(record.value or b"")
    except InvalidMessageError:
        return None
