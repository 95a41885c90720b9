"""The live feed, fed from the topic of provenance while somebody listens."""

import asyncio
from typing import Final

import structlog

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_admin, open_reader
from llamalog_service.kafka.errors import translate_kafka_errors
from llamalog_service.kafka.offsets import Offsets, partitions_of
from llamalog_service.kafka.provenance_reader import LiveRows
from llamalog_service.kafka.topics import topics
from llamalog_service.live_feed.ring import Feed, FeedState
from llamalog_service.settings import Settings

_log = structlog.get_logger("llamalog.api")

_LINGER_SECONDS: Final = 60.0
"""Goes on so long after the last listener: a browser that reconnects finds its place again."""
_POLL_SECONDS: Final = 0.5
_CHECK_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 1.0


async def feed_live(settings: Settings, feed: Feed) -> None:
    """Feed whoever listens, until cancelled; while Kafka is away, say so and try again."""
    places: Offsets = {}
    while True:
        if not feed.wanted.is_set():
            places = {}
            feed.begin_anew()
            await feed.wanted.wait()
        reading = _Reading(settings, feed, places)
        try:
            await reading.run()
        except (UnavailableError, TimeoutError) as away:
            if feed.state is not FeedState.WAITING:
                _log.warning("the live feed waits", reason=str(away) or "Kafka does not answer")
            feed.stand(FeedState.WAITING)
            places = reading.places
            await asyncio.sleep(_AGAIN_SECONDS)


class _Reading:
    """One connection, from where the one before it was.

    Attributes:
        places: the next offsets.
    """

    def __init__(self, settings: Settings, feed: Feed, places: Offsets) -> None:
        self._settings = settings
        self._feed = feed
        self.places = places

    async def run(self) -> None:
        """Read, until nobody has listened for a while.

        Raises:
            UnavailableError: Kafka does not answer.
            TimeoutError: likewise.
        """
        settings = self._settings
        topic = topics(settings.topic_prefix).provenance.name
        async with asyncio.timeout(_ANSWER_SECONDS), open_admin(settings) as admin:
            partitions = await partitions_of(admin, [topic])
        if not partitions:
            raise UnavailableError(f"Kafka at {settings.kafka} has no topic {topic}.")
        async with open_reader(settings) as consumer:
            rows = LiveRows(consumer, knows_ends=settings.kafka_durable)
            async with asyncio.timeout(_ANSWER_SECONDS):
                await rows.begin(partitions, self.places)
            self.places = rows.places
            await self._hand_on(rows)

    async def _hand_on(self, rows: LiveRows) -> None:
        clock = asyncio.get_running_loop().time
        self._feed.stand(FeedState.LIVE)
        checked = listened = clock()
        while clock() - listened < _LINGER_SECONDS:
            some = await rows.next(_POLL_SECONDS)
            for row, size in some:
                self._feed.tell(row, size)
            if some:
                checked = clock()
            elif clock() - checked > _CHECK_SECONDS:
                with translate_kafka_errors(self._settings.kafka):
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await rows.check()
                checked = clock()
            if self._feed.wanted.is_set():
                listened = clock()
