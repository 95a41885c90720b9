"""Dead letters for whoever looks at them over HTTP: the newest first, never more than was asked for."""

import asyncio
import re
from collections import Counter
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, NamedTuple

from llamalog_schemas.codec import Headers
from llamalog_service.bootstrap.dead_letters import Spans, dead_letters, find_spans
from llamalog_service.dead_letters.selection import Selection
from llamalog_service.http.dead_letters import (
    DeadLetterCounts,
    DeadLetterFilter,
    DeadLetterHeader,
    DeadLetterSource,
    Letter,
)
from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter
from llamalog_service.queries.paging import InvalidCursorError, Page
from llamalog_service.settings import Settings

_COUNTED: Final = 10_000
_COUNT_SECONDS: Final = 30.0
_LOOKED_AT: Final = 5_000
"""Letters that are looked at for one page."""
_PLACE: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,18})")
_SHOWN: Final = 4_096
_SHOWN_HEADERS: Final = 50


class DeadLetterViews:
    """The dead letters of an installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counting = asyncio.Lock()
        self._counted: tuple[float, DeadLetterCounts] | None = None

    async def counts(self) -> DeadLetterCounts:
        """The newest letters by reason; counted at most twice a minute, whoever asks.

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
        spans = await find_spans(self._settings)
        reasons: Counter[str] = Counter()
        async with aclosing(dead_letters(self._settings, _newest(spans, None, _COUNTED))) as letters:
            async for some in letters:
                reasons.update(letter.reason for letter in some)
        return DeadLetterCounts(
            by_reason=dict(reasons.most_common()),
            looked_at=reasons.total(),
            kept=sum(end - start for start, end in spans.values()),
            counted_at=datetime.now(UTC),
        )

    async def page(self, wanted: DeadLetterFilter, *, limit: int, after: str | None) -> Page[Letter]:
        """The letters that are asked for, the newest first.

        Raises:
            InvalidCursorError: `after` is none that a page told.
            TopicAbsentError: there is no topic of dead letters.
            UnavailableError: Kafka does not answer.
        """
        before = None if after is None else _parse(after)
        spans = _newest(await find_spans(self._settings), before, _LOOKED_AT)
        selection = _selection(wanted)
        found: list[tuple[DeadLetterPosition, Letter]] = []
        async with aclosing(dead_letters(self._settings, spans)) as letters:
            async for some in letters:
                # Cut as they are read: so many whole ones would take more memory than there may be.
                found += [(letter.position, _told(letter)) for letter in some if selection.takes(letter)]
                del found[: -(limit + 1)]
        found.sort(key=lambda read: read[0], reverse=True)
        items = tuple(letter for _, letter in found[:limit])
        if len(found) > limit:
            return Page(items=items, next=str(found[limit - 1][0]))
        lowest = _lowest(spans)
        return Page(items=items, next=None if lowest is None else str(lowest))


class _Span(NamedTuple):
    start: int
    end: int


def _newest(spans: Spans, before: DeadLetterPosition | None, most: int) -> Spans:
    """So many of the last letters, of those that lie before a place; partitions follow one another."""
    chosen, left = {}, most
    for at, (start, end) in sorted(spans.items(), reverse=True):
        if before is not None and at.partition > before.partition:
            continue
        last = min(end, before.offset) if before is not None and at.partition == before.partition else end
        first = max(start, last - left)
        if first < last:
            chosen[at] = _Span(first, last)
            left -= last - first
    return chosen


def _lowest(spans: Spans) -> DeadLetterPosition | None:
    """Where to go on, unless all was looked at."""
    looked_at = sum(end - start for start, end in spans.values())
    if looked_at < _LOOKED_AT:
        return None
    at = min(spans)
    return DeadLetterPosition(at.partition, spans[at][0])


def _parse(cursor: str) -> DeadLetterPosition:
    found = _PLACE.fullmatch(cursor)
    if found is None:
        raise InvalidCursorError(
            f'"{cursor[:100]}" is no cursor: give the "next" of the answer before, unchanged, or leave it '
            "out."
        )
    return DeadLetterPosition(int(found[1]), int(found[2]))


def _selection(wanted: DeadLetterFilter) -> Selection:
    return Selection(
        reasons=frozenset() if wanted.reason is None else frozenset({wanted.reason}),
        topics=frozenset() if wanted.topic is None else frozenset({wanted.topic}),
        since=wanted.since,
        until=wanted.until,
    )


def _told(letter: StoredDeadLetter) -> Letter:
    source = letter.came_from
    return Letter(
        partition=letter.position.partition,
        offset=letter.position.offset,
        kept_at=letter.kept_at,
        came_from=None
        if source is None
        else DeadLetterSource(topic=source.topic, partition=source.partition, offset=source.offset),
        reason=letter.reason,
        sentence=letter.sentence,
        truncated=letter.truncated,
        key=_text(letter.key),
        value=_text(letter.value),
        value_bytes=None if letter.value is None else len(letter.value),
        headers=_headers(letter.headers),
    )


def _headers(headers: Headers) -> tuple[DeadLetterHeader, ...]:
    return tuple(
        DeadLetterHeader(name=name[:_SHOWN], value=_text(content))
        for name, content in list(headers)[:_SHOWN_HEADERS]
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else content[:_SHOWN].decode(errors="replace")
