"""The rows and decrees that have no event, in the order of their ids, and how far they are told."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from llamalog_schemas.legacy import LegacyRowData
from llamalog_service.store.connection import translated
from llamalog_service.store.decrees import Decree
from llamalog_service.store.queries import sql

What = Literal["rows", "decrees"]


class LegacyRow(NamedTuple):
    """A row that was there before events existed, as it stands."""

    id: UUID
    data: LegacyRowData


class Left(NamedTuple):
    """How many rows and decrees are left to be told."""

    rows: int
    decrees: int


class Standing(NamedTuple):
    """Up to which id rows or decrees are told, and how many."""

    last_told: UUID | None = None
    told: int = 0


class GenesisStore:
    """Reads what is to be told, and notes what was."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def standing(self) -> dict[What, Standing]:
        """How far it is."""
        with translated():
            records = await self._pool.fetch(sql("genesis_standing"))
        found: dict[What, Standing] = {"rows": Standing(), "decrees": Standing()}
        found.update((record["what"], Standing(record["last_told"], record["told"])) for record in records)
        return found

    async def left(self) -> Left:
        """How much is left."""
        standing = await self.standing()
        with translated():
            record = await self._pool.fetchrow(
                sql("genesis_left"), standing["rows"].last_told, standing["decrees"].last_told
            )
        return Left(*record)

    async def rows(self, after: UUID | None, limit: int) -> list[LegacyRow]:
        """The next rows."""
        with translated():
            records = await self._pool.fetch(sql("genesis_rows"), after, limit)
        return [_legacy_row(record) for record in records]

    async def decrees(self, after: UUID | None, limit: int) -> list[Decree]:
        """The next decrees; those that have an event too, told again they are duplicates."""
        with translated():
            records = await self._pool.fetch(sql("genesis_decrees"), after, limit)
        return [Decree(*record) for record in records]

    async def note(self, what: What, last_told: UUID, count: int) -> None:
        """Note what was acknowledged."""
        with translated():
            await self._pool.execute(sql("genesis_note"), what, last_told, count)

    async def begin_anew(self) -> None:
        """Forget how far it was."""
        with translated():
            await self._pool.execute(sql("genesis_begin"))


def _legacy_row(record: asyncpg.Record) -> LegacyRow:
    values = dict(record)
    row = values.pop("id")
    for name in ("sources", "fields_enriched"):
        values[name] = tuple(_flat(values[name] or ()))
    return LegacyRow(row, LegacyRowData(**values))


def _flat(texts: Sequence[object]) -> list[str | None]:
    """A text[] of any dimension, in one."""
    flat: list[str | None] = []
    for text in texts:
        if isinstance(text, list):
            flat += _flat(text)
        else:
            flat.append(None if text is None else str(text))
    return flat
