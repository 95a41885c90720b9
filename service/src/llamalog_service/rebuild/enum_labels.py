"""Words of legacy rows that the enums of the log lack; added only where an operator asks for it."""

from collections.abc import Iterable, Mapping
from typing import Final

import asyncpg

from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import Content
from llamalog_service.postgres.errors import StoreError
from llamalog_service.postgres.statements import sql

MAX_WORDS: Final = 100
"""So many an enum may have: whoever may write to the topic is not to make them grow for ever."""

_LONGEST_WORD: Final = 63
"""Bytes that PostgreSQL gives a word of an enum; a row with a longer one can't be written."""

Missing = Mapping[str, frozenset[str]]
"""Column → words that its enum lacks."""


class WordsNotAddedError(StoreError):
    """The enums can't be given the words."""

    def __init__(self, type_: str, why: str) -> None:
        super().__init__(
            f"The enum {type_} was not given the words of legacy rows that it lacks: {why}. Nothing was "
            "written to the log. What was read is kept: remove the cause, and the same command goes on."
        )
        self.type_ = type_


class EnumLabelStore:
    """Compares the words of rows with the enums, and adds to them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def missing(self, rows: Iterable[Content]) -> Missing:
        """What these rows say and the columns' enums lack; empty for rows that events made."""
        said = [row.columns for row in rows if type(row) is LegacyContent]
        if not said:
            return {}
        found: dict[str, frozenset[str]] = {}
        for column, _, words in await self._enums():
            lacking = _words_of(said, column) - set(words)
            if lacking:
                found[column] = frozenset(lacking)
        return found

    async def add(self, missing: Missing) -> None:
        """Let the enums hold these words.

        A word can't be used in the transaction that adds it, so that each is one of its own.

        Raises:
            WordsNotAddedError: we may not alter the type, or it would have too many words.
        """
        for column, type_, words in await self._enums():
            added = sorted(missing.get(column, frozenset()) - set(words))
            if added and len(words) + len(added) > MAX_WORDS:
                raise WordsNotAddedError(type_, f"it would have more than {MAX_WORDS}")
            for word in added:
                await self._add(type_, word)

    async def _add(self, type_: str, word: str) -> None:
        async with self._pool.acquire() as connection:
            try:
                await connection.execute(f"ALTER TYPE {type_} ADD VALUE IF NOT EXISTS {_quoted(word)}")
            except asyncpg.InsufficientPrivilegeError as refusal:
                raise WordsNotAddedError(type_, f"{refusal}; its owner may do it") from refusal

    async def _enums(self) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self._pool.fetch(sql("legacy_words"))
        return found


def _words_of(rows: Iterable[Mapping[str, str]], column: str) -> set[str]:
    words = {row[column] for row in rows if column in row}
    return {word for word in words if len(word.encode()) <= _LONGEST_WORD}


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
