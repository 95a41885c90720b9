"""`ProvenanceConsumer`: an async iterator over the news of the log."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from llamalog_schemas.consumer.errors import KafkaAwayError, NoGroupError
from llamalog_schemas.consumer.news import (
    DEFAULT_TOPIC,
    News,
    RememberedRevisions,
    Revisions,
    Sieve,
    Unreadable,
)
from llamalog_schemas.consumer.starts import Assignments, Committed, Partitions, Start

_logger = logging.getLogger("llamalog_schemas.consumer")

_COMMIT_SECONDS = 10.0
_POLL_MILLISECONDS = 1000


class ProvenanceConsumer(AsyncIterator[News]):
    """Hands over each row's news once, in batches that it fetches itself.

    ``async with`` starts and stops it; ``async for`` goes on until `stop` is called. Nothing is committed
    unless `commit` is called: then all that was handed over counts as dealt with.

    Args:
        kafka: bootstrap servers, ``host:port``, comma-separated.
        group: the consumer group, which shares the partitions out and keeps what is committed. None: this
            consumer reads all partitions, and where it goes on is `start`'s matter.
        topic: where provenance records are.
        start: where to begin.
        revisions: which news were dealt with; None: in memory, bounded.
        on_unreadable: is told each record that is no provenance record.
        max_records: the most that is fetched at once.
        **client: anything else that an `AIOKafkaConsumer` takes, such as ``security_protocol``.
    """

    def __init__(
        self,
        kafka: str,
        *,
        group: str | None,
        topic: str = DEFAULT_TOPIC,
        start: Start | None = None,
        revisions: Revisions | None = None,
        on_unreadable: Callable[[Unreadable], object] | None = None,
        max_records: int = 500,
        **client: Any,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._topic = topic
        self._max_records = max_records
        self._sieve = Sieve(revisions or RememberedRevisions(), on_unreadable)
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **client,
        )
        self._assignments = Assignments(lambda: self._reader, start or Committed(), self._forget)
        self._ready: deque[News] = deque()
        self._reached: dict[TopicPartition, int] = {}
        self._epoch = 0
        self._stopped = False

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaAwayError: Kafka does not answer.
            Exception: whatever `start` raises, where there is no group.
        """
        try:
            await self._reader.start()
            if self._group is not None:
                self._reader.subscribe([self._topic], listener=self._assignments)
            else:
                await self._take_all_partitions()
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError):
                raise KafkaAwayError(f"Kafka at {self._kafka}: {type(error).__name__}: {error}") from error
            raise

    async def stop(self) -> None:
        """Leave the group, uncommitted; the iteration ends."""
        self._stopped = True
        self._ready.clear()
        self._assignments.stop()
        await self._reader.stop()

    async def commit(self) -> bool:
        """Tell Kafka that all that was handed over is dealt with.

        Returns:
            Whether Kafka took it. Where it did not (a rebalance, an outage), what was handed over may come
            again to whoever reads on.

        Raises:
            NoGroupError: there is no group that it could be committed for.
        """
        if self._group is None:
            raise NoGroupError("a consumer without a group can't commit: give it one, or keep `news.next`")
        if not self._reached:
            return True
        reached = dict(self._reached)
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await self._reader.commit(reached)
        except (KafkaError, TimeoutError) as error:
            _logger.warning("Kafka did not take the offsets, news may come again: %r", error)
            return False
        for partition, offset in reached.items():
            if self._reached.get(partition) == offset:
                del self._reached[partition]
        return True

    async def __anext__(self) -> News:
        while not self._ready:
            if self._stopped:
                raise StopAsyncIteration
            try:
                await self._fetch()
            except ConsumerStoppedError:
                raise StopAsyncIteration from None
        news = self._ready.popleft()
        self._reached[TopicPartition(self._topic, news.next.partition)] = news.next.offset
        self._sieve.note(news)
        return news

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _fetch(self) -> None:
        fetched = await self._reader.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=self._max_records)
        epoch = self._epoch
        for partition, records in fetched.items():
            news = await self._sieve.news(records)
            if epoch != self._epoch:
                return  # a rebalance: all is read again from where it was committed, by whoever has it now
            self._reached[partition] = records[0].offset if news else records[-1].offset + 1
            self._ready.extend(news)

    def _forget(self, revoked: Partitions) -> None:
        self._epoch += 1
        gone = {at.partition for at in revoked}
        self._ready = deque(news for news in self._ready if news.next.partition not in gone)
        for partition in revoked:
            self._reached.pop(partition, None)

    async def _take_all_partitions(self) -> None:
        self._assign([TopicPartition(self._topic, 0)])
        await self._reader.beginning_offsets(self._reader.assignment())  # makes the client learn of the topic
        numbers = self._reader.partitions_for_topic(self._topic) or {0}
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._assign(partitions)
        await self._assignments.begin(partitions)

    def _assign(self, partitions: list[TopicPartition]) -> None:
        """Take partitions, at rest; a position at once, since the client never stops that looks for one."""
        self._reader.assign(partitions)
        self._reader.pause(*partitions)
        for partition in partitions:
            self._reader.seek(partition, 0)
