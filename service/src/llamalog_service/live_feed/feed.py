"""The live feed: rows as they are recorded and corrected, for any number of listeners.

One ring holds the rows published last; a listener is only a position in it. No listener can make it grow: one
that is slower than the log loses the rows that have left the ring, and receives how many they were.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, NamedTuple

import structlog

from llamalog_schemas.provenance import Provenance
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.following import OpenProvenanceFollower, ProvenanceFollower
from llamalog_service.kafka.reader import Offsets, TopicAbsentError

_log = structlog.get_logger("llamalog.api")

_MAX_ROWS: Final = 5_000
_MAX_COST: Final = 64 * 1024 * 1024
"""Bytes of memory that the rows of the ring may take, decoded."""
_LINGER_SECONDS: Final = 60.0
"""Kafka is read so long after the last listener left: a browser that reconnects finds its position again."""
_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1.0


class FeedState(StrEnum):
    """The state of the feed."""

    CONNECTING = "connecting"
    """It is connecting to Kafka."""
    LIVE = "live"
    """Rows arrive as they are published."""
    WAITING = "waiting"
    """Kafka does not answer; rows recorded meanwhile arrive later."""
    FAILED = "failed"
    """An unexpected error ended it: it is restarted; rows recorded meanwhile are missing."""


class FeedItem(NamedTuple):
    """A row that was recorded or corrected.

    Attributes:
        number: of the item in its ring; they rise by one.
        cost: the memory that it takes at most, in bytes.
    """

    number: int
    row: Provenance
    cost: int


class Gap(NamedTuple):
    """Rows that a listener has missed.

    Attributes:
        missed: how many; None if that is unknown.
    """

    missed: int | None


FeedEvent = FeedItem | Gap | FeedState


class LiveFeed:
    """Passes rows to its listeners.

    Attributes:
        epoch: identifies the ring: cursors of another one are unknown here.
        has_listeners: set while there is a listener.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.has_listeners = asyncio.Event()
        self.state = FeedState.CONNECTING
        self._ring: deque[FeedItem] = deque()
        self._cost = 0
        self._next = 1
        self._listeners = 0
        self._changed = asyncio.Event()

    def append(self, row: Provenance, cost: int) -> None:
        """Pass a row on; the oldest ones leave a full ring."""
        self._ring.append(FeedItem(self._next, row, cost))
        self._next += 1
        self._cost += cost
        while len(self._ring) > _MAX_ROWS or self._cost > _MAX_COST:
            self._cost -= self._ring.popleft().cost
        self._wake()

    def set_state(self, state: FeedState) -> None:
        """Change the state."""
        if state is not self.state:
            self.state = state
            self._wake()

    def reset(self, state: FeedState = FeedState.CONNECTING) -> None:
        """Begin a new ring: the rows to come do not continue the previous ones."""
        self._ring.clear()
        self._cost = 0
        self.epoch = secrets.token_hex(4)
        self.state = state
        self._wake()

    async def follow(self, cursor: str | None = None) -> AsyncGenerator[FeedEvent, None]:
        """The state, at first and at each change, and the rows from now on.

        Args:
            cursor: continue after the item of this cursor (see `cursor_of`).
        """
        with self._listening():
            epoch, position, state = self.epoch, self._next, None
            if cursor is not None:
                found = self._position_after(cursor)
                if found is None:
                    yield Gap(None)
                else:
                    position = found
            while True:  # one event at a time: a slow listener holds no rows that have left the ring
                changed = self._changed
                oldest = self._next - len(self._ring)
                if epoch != self.epoch:
                    epoch, position = self.epoch, self._next
                    yield Gap(None)
                elif state is not self.state:
                    state = self.state
                    yield state
                elif position < oldest:
                    missed, position = oldest - position, oldest
                    yield Gap(missed)
                elif position < self._next:
                    position += 1
                    yield self._ring[position - 1 - oldest]
                else:
                    await changed.wait()

    def cursor_of(self, item: FeedItem) -> str:
        """The cursor of a listener that has received this item."""
        return f"{self.epoch}-{item.number}"

    def _position_after(self, cursor: str) -> int | None:
        epoch, _, number = cursor.partition("-")
        if epoch != self.epoch or not number.isascii() or not number.isdecimal() or len(number) > 15:
            return None
        return int(number) + 1 if int(number) < self._next else None

    @contextmanager
    def _listening(self) -> Iterator[None]:
        self._listeners += 1
        self.has_listeners.set()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self.has_listeners.clear()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def run_live_feed(open_topic: OpenProvenanceFollower, feed: LiveFeed) -> None:
    """Read the provenance topic into a feed while it has listeners, until cancelled.

    While Kafka is unavailable the feed is waiting; reading continues from where it was.
    """
    positions: Offsets = {}
    while True:
        if not feed.has_listeners.is_set():
            positions = {}
            feed.reset()
            await feed.has_listeners.wait()
        try:
            async with open_topic(positions) as topic:
                positions = topic.positions
                await _read_into(feed, topic)
        except (UnavailableError, TopicAbsentError) as error:
            if feed.state is not FeedState.WAITING:
                _log.warning("live feed waiting", reason=str(error))
            feed.set_state(FeedState.WAITING)
            await asyncio.sleep(_RETRY_SECONDS)


async def _read_into(feed: LiveFeed, topic: ProvenanceFollower) -> None:
    """Read until the feed has had no listener for a while.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    clock = asyncio.get_running_loop().time
    feed.set_state(FeedState.LIVE)
    listened_at = clock()
    while clock() - listened_at < _LINGER_SECONDS:
        for row, cost in await topic.next(_POLL_SECONDS):
            feed.append(row, cost)
        if feed.has_listeners.is_set():
            listened_at = clock()
