"""Dead letters as they are shown: a page of them takes little memory, however large they are."""

import tracemalloc
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from llamalog_service.dead_letters.listing import DeadLetterFilter, DeadLetterViews
from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter
from llamalog_service.kafka.reader import Span
from llamalog_service.settings import Settings

KIBIBYTE = 1024
LETTERS, BYTES = 500, 256 * KIBIBYTE


async def spans(_: Settings) -> dict[int, Span]:
    return {0: Span(0, LETTERS)}


async def letters(_: Settings, __: object) -> AsyncGenerator[list[StoredDeadLetter], None]:
    for offset in range(LETTERS):
        value = bytes(BYTES)
        kept_at = datetime(2026, 2, 10, tzinfo=UTC)
        yield [
            StoredDeadLetter(
                DeadLetterPosition(0, offset), kept_at, None, "not-json", "", None, None, value, []
            )
        ]


async def test_of_large_letters_only_what_is_shown_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llamalog_service.dead_letters.listing.find_spans", spans)
    monkeypatch.setattr("llamalog_service.dead_letters.listing.fetch_dead_letters", letters)
    views = DeadLetterViews(Settings(database_url=SecretStr("postgresql://nowhere"), kafka="nowhere:1"))
    tracemalloc.start()
    try:
        page = await views.page(DeadLetterFilter(), limit=LETTERS, after=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [letter.offset for letter in page.items] == list(reversed(range(LETTERS)))
    assert {(len(letter.value or ""), letter.value_bytes) for letter in page.items} == {(4 * KIBIBYTE, BYTES)}
    assert peak < 16 * 1024 * KIBIBYTE, "the letters themselves have 125 MiB"
