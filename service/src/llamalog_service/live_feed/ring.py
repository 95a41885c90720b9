"""The live feed: rows as they are recorded and corrected, told to any number of listeners.

There is one ring of what was told last; a listener is only a place in it. So nobody can make it grow: whoever
is slower than the log loses what has left the ring, and is told how much that was.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from llamalog_schemas.provenance import Provenance

_MAX_ROWS: Final = 5_000
_MAX_BYTES: Final = 16 * 1024 * 1024
_AT_ONCE: Final = 200


class FeedState(StrEnum):
    """How the feed stands."""

    CONNECTING = "connecting"
    """It is being connected to Kafka."""
    LIVE = "live"
    """What is recorded from now on is told."""
    WAITING = "waiting"
    """Kafka does not answer; what is recorded meanwhile is told later."""
    FAILED = "failed"
    """Something unforeseen ended it: it is started again; what is recorded meanwhile is not told."""


class Told(NamedTuple):
    """A row that was recorded or corrected.

    Attributes:
        place: its number; they rise by one.
        size: bytes that its message had.
    """

    place: int
    row: Provenance
    size: int


class Gap(NamedTuple):
    """Rows that a listener has missed.

    Attributes:
        missed: how many; None if nobody knows.
    """

    missed: int | None


News = Told | Gap | FeedState


class Feed:
    """Hands rows on to whoever listens.

    Attributes:
        epoch: names this ring: places of another one mean nothing here.
        wanted: set while somebody listens.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.wanted = asyncio.Event()
        self.state = FeedState.CONNECTING
        self._ring: deque[Told] = deque()
        self._bytes = 0
        self._next = 1
        self._listeners = 0
        self._news = asyncio.Event()

    def tell(self, row: Provenance, size: int) -> None:
        """A row was recorded or corrected."""
        self._ring.append(Told(self._next, row, size))
        self._next += 1
        self._bytes += size
        while len(self._ring) > _MAX_ROWS or self._bytes > _MAX_BYTES:
            self._bytes -= self._ring.popleft().size
        self._wake()

    def stand(self, state: FeedState) -> None:
        """How the feed stands from now on."""
        if state is not self.state:
            self.state = state
            self._wake()

    def begin_anew(self, state: FeedState = FeedState.CONNECTING) -> None:
        """Forget what was told: what comes next does not follow on it."""
        self._ring.clear()
        self._bytes = 0
        self.epoch = secrets.token_hex(4)
        self.state = state
        self._wake()

    async def follow(self, last: str | None = None) -> AsyncGenerator[News, None]:
        """What is told from now on, and how the feed stands, at first and whenever that changes.

        Args:
            last: where an earlier listener was, as `place_of` says it: it goes on there.
        """
        with self._listening():
            epoch, place, state = self.epoch, self._next, None
            if last is not None:
                found = self._place(last)
                if found is None:
                    yield Gap(None)
                else:
                    place = found
            while True:
                news = self._news
                if epoch != self.epoch:
                    epoch, place = self.epoch, self._next
                    yield Gap(None)
                if state is not self.state:
                    state = self.state
                    yield state
                oldest = self._next - len(self._ring)
                if place < oldest:
                    missed, place = oldest - place, oldest
                    yield Gap(missed)
                some = self._from(place)
                for told in some:
                    place = told.place + 1
                    yield told
                if not some and news is self._news:
                    await news.wait()

    def place_of(self, told: Told) -> str:
        """Where a listener is that has heard this."""
        return f"{self.epoch}-{told.place}"

    def _place(self, last: str) -> int | None:
        epoch, _, number = last.partition("-")
        if epoch != self.epoch or not number.isascii() or not number.isdecimal() or len(number) > 15:
            return None
        return int(number) + 1 if int(number) < self._next else None

    def _from(self, place: int) -> list[Told]:
        begin = place - (self._next - len(self._ring))
        return list(islice(self._ring, begin, begin + _AT_ONCE))

    @contextmanager
    def _listening(self) -> Iterator[None]:
        self._listeners += 1
        self.wanted.set()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self.wanted.clear()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
