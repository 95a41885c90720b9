"""Dead letters as they are shown: a page of them takes little memory, however large they are."""

import tracemalloc
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

import msgspec

from llamalog_service.dead_letters.listing import DeadLetterFilter, DeadLetterViews
from llamalog_service.kafka.dead_letters import (
    Coordinates,
    DeadLetterPosition,
    DeadLetterReader,
    Spans,
    StoredDeadLetter,
)
from llamalog_service.kafka.reader import Span
from llamalog_service.queries.paging import MAX_BYTES

KIBIBYTE = 1024
COUNT, BYTES = 500, 256 * KIBIBYTE


class Kept(DeadLetterReader):
    """A topic of dead letters in memory."""

    def __init__(self, read: Callable[[], AsyncGenerator[list[StoredDeadLetter], None]]) -> None:
        self._read = read

    async def spans(self, after: DeadLetterPosition | None = None) -> Spans:
        assert after is None
        return {0: Span(0, COUNT)}

    def read(self, spans: Spans) -> AsyncGenerator[list[StoredDeadLetter], None]:
        return self._within(spans[0])

    async def _within(self, span: Span) -> AsyncGenerator[list[StoredDeadLetter], None]:
        async for batch in self._read():
            yield [one for one in batch if span.first <= one.position.offset < span.end]


async def dead_letters() -> AsyncGenerator[list[StoredDeadLetter], None]:
    for offset in range(COUNT):
        value = b" " * BYTES
        kept_at = datetime(2026, 2, 10, tzinfo=UTC)
        yield [
            StoredDeadLetter(
                DeadLetterPosition(0, offset), kept_at, None, "not-json", "", None, None, None, value, []
            )
        ]


async def test_of_large_dead_letters_only_what_is_shown_is_kept() -> None:
    views = DeadLetterViews(Kept(dead_letters))
    tracemalloc.start()
    try:
        page = await views.page(DeadLetterFilter(), limit=COUNT, after=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [found.offset for found in page.items] == list(reversed(range(COUNT)))
    assert {(len(found.value or ""), found.value_bytes) for found in page.items} == {(4 * KIBIBYTE, BYTES)}
    assert peak < 16 * 1024 * KIBIBYTE, "the dead letters themselves have 125 MiB"


async def forged() -> AsyncGenerator[list[StoredDeadLetter], None]:
    """Dead letters of another program, as large in every part as Kafka takes them."""
    long, kept_at = "r" * 100 * KIBIBYTE, datetime(2026, 2, 10, tzinfo=UTC)
    for offset in range(COUNT):
        where = Coordinates(long, 0, offset)
        headers = [(f"{number}{long}", long.encode()) for number in range(5)] * 20
        yield [
            StoredDeadLetter(
                DeadLetterPosition(0, offset),
                kept_at,
                where,
                f"{offset}{long}",
                long,
                long,
                long,
                b"",
                b"",
                headers,
            )
        ]


async def test_of_dead_letters_with_large_headers_only_what_is_shown_is_kept() -> None:
    views = DeadLetterViews(Kept(forged))
    page = await views.page(DeadLetterFilter(), limit=50, after=None)
    assert len(page.items) == 50
    assert len(msgspec.json.encode(page)) < 50 * 32 * KIBIBYTE
    counts = await views.counts()
    assert counts.looked_at == COUNT
    assert len(msgspec.json.encode(counts)) < 32 * KIBIBYTE


async def test_pages_of_dead_letters_are_bounded_in_bytes_and_together_have_all() -> None:
    views, after = DeadLetterViews(Kept(forged)), None
    sizes, offsets = [], []
    while True:
        page = await views.page(DeadLetterFilter(), limit=COUNT, after=after)
        sizes.append(len(msgspec.json.encode(page.items)))
        offsets += [found.offset for found in page.items]
        after = page.next
        if after is None:
            break
    assert max(sizes) <= MAX_BYTES + COUNT
    assert len(sizes) > 1
    assert offsets == list(reversed(range(COUNT)))
