"""Dead letters read for people: counted by reason, and paged for HTTP."""

import asyncio
import re
from collections import Counter, deque
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from llamalog_schemas.codec import Headers
from llamalog_service.dead_letters.selection import DeadLetterSelection
from llamalog_service.kafka.dead_letters import (
    DeadLetterPosition,
    DeadLetterReader,
    Spans,
    StoredDeadLetter,
)
from llamalog_service.kafka.reader import Span
from llamalog_service.queries.paging import MAX_BYTES, InvalidCursorError, Page
from llamalog_service.queries.rows import cut

_MAX_COUNTED: Final = 10_000
_COUNT_SECONDS: Final = 30.0
_MAX_SCANNED: Final = 5_000
"""Dead letters that are read for one page."""

_MAX_TEXT_BYTES: Final = 4_096
_MAX_HEADERS: Final = 30
_MAX_HEADER_BYTES: Final = 300
_MAX_REASON: Final = 100
_MAX_REASONS: Final = 100
_MAX_PRODUCERS: Final = 200
_MAX_PRODUCER: Final = 1_000
_MAX_SENTENCE: Final = 2_000
_MAX_TOPIC: Final = 249
"""As Kafka has it; a header of another program may state anything."""
_CURSOR: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,18})")


class DeadLetterCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """The dead letters by reason.

    Attributes:
        by_reason: counts of the newest ones; of very many reasons the most frequent.
        by_producer: the same by the source that the messages name, where one could be read.
        looked_at: how many were counted.
        kept: how many there are, as far as the broker knows.
        counted_at: the time of the count, which is up to half a minute old.
    """

    by_reason: dict[str, int]
    by_producer: dict[str, int]
    looked_at: int
    kept: int
    counted_at: datetime


class DeadLetterSource(Struct, frozen=True, kw_only=True, rename="camel"):
    """The coordinates at which a message was read that became a dead letter."""

    topic: str
    partition: int
    offset: int


class DeadLetterHeader(Struct, frozen=True, kw_only=True, rename="camel"):
    """A header of the original message."""

    name: str
    value: str | None


class DeadLetterMessage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that was refused.

    Attributes:
        partition, offset: its position in the topic of dead letters.
        came_from: null if it was not put there by llamalog.
        reason: the code; `sentence` is the explanation for people.
        producer: the source that the message names; null where none could be read.
        truncated: what was kept of a message too large to be kept whole.
        key, value, headers: as text, invalid UTF-8 replaced; of a long one the beginning.
        value_bytes: the length of the whole value; null for a tombstone.
    """

    partition: int
    offset: int
    kept_at: datetime
    came_from: DeadLetterSource | None
    reason: str
    sentence: str
    producer: str | None
    truncated: str | None
    key: str | None
    value: str | None
    value_bytes: int | None
    headers: tuple[DeadLetterHeader, ...]


class DeadLetterFilter(Struct, frozen=True, kw_only=True):
    """The dead letters that a page shows; a field that is None selects all.

    Attributes:
        topic: the full name of the topic that it came from.
        producer: the whole source that the message names.
        since, until: when it became a dead letter; `until` itself is excluded.
    """

    reason: str | None = None
    topic: str | None = None
    producer: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class DeadLetterViews:
    """Counts and pages of dead letters for HTTP: the newest first, in bounded memory."""

    def __init__(self, reader: DeadLetterReader) -> None:
        self._reader = reader
        self._counting = asyncio.Lock()
        self._counted: tuple[float, DeadLetterCounts] | None = None

    async def counts(self) -> DeadLetterCounts:
        """The newest dead letters by reason; read at most twice a minute, however often it is called.

        Raises:
            TopicAbsentError: there is no topic of dead letters.
            UnavailableError: Kafka does not answer.
        """
        async with self._counting:
            now = asyncio.get_running_loop().time()
            if self._counted is None or now - self._counted[0] > _COUNT_SECONDS:
                self._counted = (now, await self._count())
            return self._counted[1]

    async def _count(self) -> DeadLetterCounts:
        spans = await self._reader.spans()
        reasons: Counter[str] = Counter()
        producers: Counter[str] = Counter()
        newest = _newest(spans, None, _MAX_COUNTED)
        async with aclosing(self._reader.read(newest)) as fetched:
            async for batch in fetched:
                reasons.update(cut(dead_letter.reason, _MAX_REASON) for dead_letter in batch)
                producers.update(
                    cut(one.producer, _MAX_PRODUCER) for one in batch if one.producer is not None
                )
        return DeadLetterCounts(
            by_reason=dict(reasons.most_common(_MAX_REASONS)),
            by_producer=dict(producers.most_common(_MAX_PRODUCERS)),
            looked_at=reasons.total(),
            kept=sum(end - start for start, end in spans.values()),
            counted_at=datetime.now(UTC),
        )

    async def page(
        self, wanted: DeadLetterFilter, *, limit: int, after: str | None
    ) -> Page[DeadLetterMessage]:
        """A page of the matching dead letters, the newest first.

        Raises:
            InvalidCursorError: `after` is no cursor of a page.
            TopicAbsentError: there is no topic of dead letters.
            UnavailableError: Kafka does not answer.
        """
        before = None if after is None else _parse(after)
        spans = _newest(await self._reader.spans(), before, _MAX_SCANNED)
        selection = _selection(wanted)
        found = _Newest(limit)
        async with aclosing(self._reader.read(spans)) as fetched:
            async for batch in fetched:
                for dead_letter in batch:
                    if selection.matches(dead_letter):
                        found.add(dead_letter)
        if found.any_dropped:
            return Page(items=found.messages, next=str(found.lowest))
        lowest = _lowest(spans)
        return Page(items=found.messages, next=None if lowest is None else str(lowest))


class _Newest:
    """The last of some dead letters, as they are shown: at most so many, and at most `MAX_BYTES` of them.

    They are cut as they are read: so many whole ones would take more memory than there may be.

    Attributes:
        any_dropped: whether there were more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: deque[tuple[DeadLetterPosition, DeadLetterMessage, int]] = deque()
        self._bytes = 0
        self.any_dropped = False

    def add(self, dead_letter: StoredDeadLetter) -> None:
        """Add the next in the order of reading."""
        message = _view(dead_letter)
        size = len(msgspec.json.encode(message))
        self._found.append((dead_letter.position, message, size))
        self._bytes += size
        while len(self._found) > self._limit or (self._bytes > MAX_BYTES and len(self._found) > 1):
            self._bytes -= self._found.popleft()[2]
            self.any_dropped = True

    @property
    def messages(self) -> tuple[DeadLetterMessage, ...]:
        """The newest first."""
        return tuple(message for _, message, _ in reversed(self._found))

    @property
    def lowest(self) -> DeadLetterPosition:
        """The position of the oldest of them, of which there is one at least."""
        return self._found[0][0]


def _newest(spans: Spans, before: DeadLetterPosition | None, limit: int) -> Spans:
    """The spans of the last so many dead letters before a position; partitions follow one another."""
    chosen: dict[int, Span] = {}
    left = limit
    for partition, (start, end) in sorted(spans.items(), reverse=True):
        if before is not None and partition > before.partition:
            continue
        last = min(end, before.offset) if before is not None and partition == before.partition else end
        first = max(start, last - left)
        if first < last:
            chosen[partition] = Span(first, last)
            left -= last - first
    return chosen


def _lowest(spans: Spans) -> DeadLetterPosition | None:
    """The position at which the next page continues; None if all were read."""
    if sum(end - start for start, end in spans.values()) < _MAX_SCANNED:
        return None
    partition = min(spans)
    return DeadLetterPosition(partition, spans[partition].first)


def _parse(cursor: str) -> DeadLetterPosition:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidCursorError(
            f'"{cursor[:100]}" is no cursor: give the "next" of the answer before, unchanged, or leave it '
            "out."
        )
    return DeadLetterPosition(int(found[1]), int(found[2]))


def _selection(wanted: DeadLetterFilter) -> DeadLetterSelection:
    return DeadLetterSelection(
        reasons=frozenset() if wanted.reason is None else frozenset({wanted.reason}),
        topics=frozenset() if wanted.topic is None else frozenset({wanted.topic}),
        producers=frozenset() if wanted.producer is None else frozenset({wanted.producer}),
        since=wanted.since,
        until=wanted.until,
    )


def _view(dead_letter: StoredDeadLetter) -> DeadLetterMessage:
    source = dead_letter.came_from
    return DeadLetterMessage(
        partition=dead_letter.position.partition,
        offset=dead_letter.position.offset,
        kept_at=dead_letter.kept_at,
        came_from=None
        if source is None
        else DeadLetterSource(
            topic=cut(source.topic, _MAX_TOPIC), partition=source.partition, offset=source.offset
        ),
        reason=cut(dead_letter.reason, _MAX_REASON),
        sentence=cut(dead_letter.sentence, _MAX_SENTENCE),
        producer=cut(dead_letter.producer, _MAX_PRODUCER),
        truncated=cut(dead_letter.truncated, _MAX_REASON),
        key=_text(dead_letter.key),
        value=_text(dead_letter.value),
        value_bytes=None if dead_letter.value is None else len(dead_letter.value),
        headers=_headers(dead_letter.headers),
    )


def _headers(headers: Headers) -> tuple[DeadLetterHeader, ...]:
    return tuple(
        DeadLetterHeader(name=cut(name, _MAX_HEADER_BYTES), value=_text(content, _MAX_HEADER_BYTES))
        for name, content in list(headers)[:_MAX_HEADERS]
    )


def _text(content: bytes | None, most: int = _MAX_TEXT_BYTES) -> str | None:
    return None if content is None else content[:most].decode(errors="replace")
