"""The provenance topic as it grows: what is told of rows from a moment on."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from llamalog_schemas.provenance import Provenance
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_admin, open_reader
from llamalog_service.kafka.errors import TopicAbsentError, translate_kafka_errors
from llamalog_service.kafka.offsets import partitions_of
from llamalog_service.kafka.provenance_reader import LiveRows
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

_POLL_SECONDS: Final = 0.5
_SILENCE_SECONDS: Final = 3.0
"""So long a topic may be silent before it is asked whether Kafka is there at all."""

_ANSWER_SECONDS: Final = 5.0


class FeedBatch(NamedTuple):
    """What a feed has heard.

    Attributes:
        records: of rows written or corrected, in the order in which they were told; a row may be told
            again, and a lower revision after a higher one.
        away: why nothing is heard, while Kafka is away; then there are no records.
    """

    records: list[Provenance]
    away: str | None = None


class ProvenanceFeed:
    """What is told of rows, from where the topic ended when the feed was opened.

    A row that is told before was committed before: whoever opens the feed first and reads the table then
    misses nothing. What both know bears the same id and revision.
    """

    def __init__(self, rows: LiveRows, bootstrap: str) -> None:
        self._rows = rows
        self._bootstrap = bootstrap

    @classmethod
    async def open(
        cls,
        consumer: AIOKafkaConsumer,
        partitions: Collection[TopicPartition],
        *,
        bootstrap: str,
        knows_ends: bool,
    ) -> "ProvenanceFeed":
        """A feed that begins where these partitions end now.

        Args:
            consumer: a started consumer of no group, newly made: it is assigned the partitions.
            partitions: of the topic of provenance, at least one.
            bootstrap: where Kafka is, for the errors.
            knows_ends: whether the broker can be asked where partitions end.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        rows = LiveRows(consumer, knows_ends=knows_ends)
        with translate_kafka_errors(bootstrap):
            await rows.begin(partitions, {})
        return cls(rows, bootstrap)

    async def next(self, within: float) -> list[Provenance]:
        """The next records, as soon as there are some; none if nothing was told within so many seconds.

        Raises:
            UnavailableError: Kafka refuses; calling again goes on where it was.
        """
        with translate_kafka_errors(self._bootstrap):
            return [told.row for told in await self._rows.next(within)]

    async def __aiter__(self) -> AsyncIterator[FeedBatch]:
        """Records as they come; that Kafka is away, once, and once (as nothing) that it is back."""
        clock = asyncio.get_running_loop().time
        heard_at, away = clock(), False
        while True:
            try:
                records = await self.next(_POLL_SECONDS)
                if not records and (away or clock() - heard_at > _SILENCE_SECONDS):
                    await self._ask()
            except UnavailableError as error:
                if not away:
                    yield FeedBatch([], str(error))
                away = True
                await asyncio.sleep(_POLL_SECONDS)
                continue
            if records or away:
                yield FeedBatch(records)
            heard_at = clock() if records or away else heard_at
            away = False

    async def _ask(self) -> None:
        """Silence alone does not tell an idle topic from a broker that is away: the client tries for ever."""
        try:
            with translate_kafka_errors(self._bootstrap):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._rows.check()
        except TimeoutError as error:
            raise UnavailableError(
                f"Kafka at {self._bootstrap} has not answered for {_ANSWER_SECONDS:.0f} s."
            ) from error


@asynccontextmanager
async def open_provenance_feed(settings: Settings) -> AsyncIterator[ProvenanceFeed]:
    """A feed of what is told of rows from this moment on; does not wait for Kafka to be there.

    Raises:
        TopicAbsentError: there is no topic of provenance.
        UnavailableError: Kafka does not answer. Once the feed is open, it says so itself and goes on.
    """
    topic = topics(settings.topic_prefix).provenance.name
    async with open_admin(settings) as admin:
        partitions = await partitions_of(admin, [topic])
    if not partitions:
        raise TopicAbsentError(topic)
    async with open_reader(settings) as reader:
        yield await ProvenanceFeed.open(
            reader, partitions, bootstrap=settings.kafka, knows_ends=settings.kafka_durable
        )
