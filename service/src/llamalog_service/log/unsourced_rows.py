"""Rows without a source event, as texts, and the progress of their publication."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import convert

from llamalog_schemas.legacy import LegacyRowData, Overruled
from llamalog_service.log.outbox import BYTES_AT_ONCE
from llamalog_service.postgres.statements import sql

_KNOWN: Final = frozenset(LegacyRowData.__struct_fields__)
_NOT_VERBATIM: Final = frozenset(
    {
        "root_job_id",
        "origin",
        "cycle_members",
        "parent_conflict",
        "revision",
        "recorded_at",
        "legacy_sourced",
        "settled_by",
        "producer_id",
        "traceparent",
        "erased",
        "retracted",
    }
)
_AS_TEXT: Final = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL intervalstyle = 'iso_8601'"
)


class UnsourcedRow(NamedTuple):
    """A row without a source event, as the data of the event to be published; whether a person was erased."""

    id: UUID
    data: LegacyRowData
    erased: bool = False


class UnsourcedCount(NamedTuple):
    """Numbers of rows and overrides without a source event that was read."""

    rows: int
    overrides: int


class UnsourcedRowStore:
    """Rows to be published, and how far their publication is."""

    def __init__(self, pool: asyncpg.Pool, topic: str) -> None:
        self._pool = pool
        self._topic = topic
        self._columns: tuple[str, ...] = ()

    async def count(self) -> UnsourcedCount:
        """Count the rows and overrides without a source event."""
        return UnsourcedCount(*await self._pool.fetchrow(sql("unsourced_count")))

    async def next_rows(self, after: UUID | None, limit: int) -> list[UnsourcedRow]:
        """The next rows without a source event, in the order of their ids; fewer where they are large.

        A value is the text that PostgreSQL writes for it.
        """
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(_AS_TEXT)
            if not self._columns:
                self._columns = await _columns_of(connection)
            records = await connection.fetch(rows_as_texts(self._columns), after, limit, BYTES_AT_ONCE)
        return [_row(record, self._columns) for record in records]

    async def progress(self) -> UUID | None:
        """The last row that an interrupted run had published; None: there was none."""
        last: UUID | None = await self._pool.fetchval(sql("publishing_progress"), self._topic)
        return last

    async def advance(self, last: UUID) -> None:
        """Keep up to which row all is published."""
        await self._pool.execute(sql("publishing_advance"), self._topic, last)

    async def finish(self) -> None:
        """Forget how far it was: all is published."""
        await self._pool.execute(sql("publishing_finish"), self._topic)


def rows_as_texts(columns: Iterable[str]) -> str:
    """The statement that reads these columns of the next rows, custom columns included."""
    texts = ", ".join(f'l."{_doubled(name)}"::text' for name in columns)
    return sql("unsourced_rows").replace("COLUMNS", texts)


async def _columns_of(connection: asyncpg.Connection) -> tuple[str, ...]:
    records = await connection.fetch(sql("unsourced_columns"))
    return tuple(record["name"] for record in records if record["name"] not in {"id", *_NOT_VERBATIM})


def _doubled(name: str) -> str:
    return name.replace('"', '""')


def _row(record: Mapping[str, object], columns: Sequence[str]) -> UnsourcedRow:
    texts: list[str | None] = record["columns"]  # type: ignore[assignment]
    values = {name: text for name, text in zip(columns, texts, strict=True) if text is not None}
    overruled = Overruled(parent_job_id=record["kept_parent"], root_job_id=record["kept_root"])  # type: ignore[arg-type]
    known = {name: text for name, text in values.items() if name in _KNOWN}
    others = {name: text for name, text in values.items() if name not in _KNOWN}
    data = LegacyRowData(
        **known,
        overruled=overruled if overruled != Overruled() else None,
        other_columns=others or None,
    )
    return UnsourcedRow(convert(record["id"], UUID), data, record["erased"] is True)
