"""The shadow: the rows that the topic makes of itself, written beside the live table and never into it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.overrides import RootOverride
from llamalog_service.domain.rows import Content, RowContent
from llamalog_service.postgres.errors import translated
from llamalog_service.postgres.statements import sql

SCHEMA: Final = "llamalog_rebuild"
"""The schema that holds the shadow while a rebuild is under way, and what an interrupted one leaves."""

FORMAT: Final = 4
"""Rises with every change of what the shadow holds or of how events become rows.

What was begun with another one is not gone on with.
"""

END_WITH_CLIENT: Final = "SET LOCAL client_connection_check_interval = '2s'"
"""PostgreSQL would go on for hours with a statement of a process that was killed."""

_ROW_COLUMNS = (*RowContent.__struct_fields__, "partition", "offset")
_OVERRIDE_COLUMNS = (*RootOverride._fields, "partition", "offset")


class Place(NamedTuple):
    """Where a message lies in the topic."""

    partition: int
    offset: int


class Told(NamedTuple):
    """A portion of the topic, decoded.

    Attributes:
        places, override_places: of `rows` and of `overrides`, in step.
        reached: the next offset to read, by partition.
        messages, dead_letters, tombstones: how many there were, by partition.
    """

    rows: Sequence[Content]
    places: Sequence[Place]
    overrides: Sequence[RootOverride]
    override_places: Sequence[Place]
    reached: Mapping[int, int]
    messages: Mapping[int, int]
    dead_letters: Mapping[int, int]
    tombstones: Mapping[int, int]


class About(NamedTuple):
    """What a shadow is the shadow of."""

    id: UUID
    format: int
    topic: str
    source: str
    begun_by: str
    begun_at: datetime


class Read(NamedTuple):
    """How far the topic was read into the shadow, and what was found on the way."""

    next_offsets: dict[int, int]
    messages: int
    dead_letters: int
    tombstones: int


class ShadowStore:
    """Makes the shadow, fills it portion by portion, drops it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def standing(self) -> tuple[bool, About | None]:
        """Whether there is a schema of the shadow's name, and what it says of itself."""
        if await self._pool.fetchval("SELECT to_regnamespace($1) IS NULL", SCHEMA):
            return False, None
        if await self._pool.fetchval("SELECT to_regclass($1) IS NULL", f"{SCHEMA}.about"):
            return True, None
        record = await self._pool.fetchrow(
            f"SELECT id, format, topic, source, begun_by, begun_at FROM {SCHEMA}.about"  # noqa: S608
        )
        return True, None if record is None else About(*record)

    async def go_on(self, *, every_word: bool) -> bool:
        """Make a shadow that was left ready to be read on; False if this call can't go on with it.

        Args:
            every_word: no row is left out for a word that the live table's enums lack: then none may have
                been left out before.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            had_every_word = await connection.fetchval(f"SELECT every_word FROM {SCHEMA}.about")  # noqa: S608
            if every_word and not had_every_word and (await read_so_far(connection)).dead_letters:
                return False
            await connection.execute(f"UPDATE {SCHEMA}.about SET every_word = $1", every_word)  # noqa: S608
            await connection.execute(sql("shadow_forget"))
        return True

    async def make(self, *, id_: UUID, topic: str, source: str, begun_by: str, every_word: bool) -> None:
        """Make an empty shadow, to be read into as `go_on` says.

        Raises:
            UnavailableError: also where we may not make a schema.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("shadow_make"))
            await connection.execute(
                f"INSERT INTO {SCHEMA}.about (id, format, topic, source, begun_by, every_word) "  # noqa: S608
                "VALUES ($1, $2, $3, $4, $5, $6)",
                id_,
                FORMAT,
                topic,
                source,
                begun_by,
                every_word,
            )

    async def discard(self) -> None:
        """Drop the shadow, if there is one."""
        await self._pool.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")

    async def read_so_far(self) -> Read:
        """How far the shadow is."""
        async with self._pool.acquire() as connection:
            return await read_so_far(connection)

    async def record(self, told: Told) -> None:
        """Write a portion and how far it reaches, in one transaction.

        Raises:
            UnavailableError: it cannot be told whether anything is written; `read_so_far` says it.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await record_told(connection, told)


async def read_so_far(connection: asyncpg.Connection) -> Read:
    """As `ShadowStore.read_so_far`, as the connection sees it."""
    records = await connection.fetch(sql("shadow_positions"))
    return Read(
        {record["partition"]: record["next_offset"] for record in records},
        sum(record["messages"] for record in records),
        sum(record["dead_letters"] for record in records),
        sum(record["tombstones"] for record in records),
    )


async def record_told(connection: asyncpg.Connection, told: Told) -> None:
    """As `ShadowStore.record`, in the connection's transaction."""
    refused = await _copy_rows(connection, told)
    if told.overrides:
        await connection.copy_records_to_table(
            "root_decrees",
            schema_name=SCHEMA,
            columns=_OVERRIDE_COLUMNS,
            records=[
                override + place for override, place in zip(told.overrides, told.override_places, strict=True)
            ],
        )
    partitions = list(told.reached)
    await connection.execute(
        sql("shadow_advance"),
        partitions,
        list(told.reached.values()),
        [told.messages.get(partition, 0) for partition in partitions],
        [told.dead_letters.get(partition, 0) + refused.get(partition, 0) for partition in partitions],
        [told.tombstones.get(partition, 0) for partition in partitions],
    )


async def _copy_rows(connection: asyncpg.Connection, told: Told) -> dict[int, int]:
    """Write rows; those that PostgreSQL refuses are left out, as live, and counted by partition."""
    rows = list(zip(told.rows, told.places, strict=True))
    if not rows:
        return {}
    try:
        await _write(connection, rows)
    except RowRefusedError:
        return await _write_one_by_one(connection, rows)
    return {}


async def _write_one_by_one(
    connection: asyncpg.Connection, rows: Sequence[tuple[Content, Place]]
) -> dict[int, int]:
    refused: dict[int, int] = {}
    for row, place in rows:
        try:
            await _write(connection, [(row, place)])
        except RowRefusedError:
            refused[place.partition] = refused.get(place.partition, 0) + 1
    return refused


async def _write(connection: asyncpg.Connection, rows: Sequence[tuple[Content, Place]]) -> None:
    """Rows that events made by COPY, legacy rows by a statement of their own."""
    made = [astuple(row) + place for row, place in rows if type(row) is RowContent]
    with translated():
        async with connection.transaction():
            await connection.copy_records_to_table(
                "llama_logs", schema_name=SCHEMA, columns=_ROW_COLUMNS, records=made
            )
            if len(made) < len(rows):
                legacy = [(row, place) for row, place in rows if isinstance(row, LegacyContent)]
                await _write_legacy(connection, legacy)


async def _write_legacy(connection: asyncpg.Connection, rows: Sequence[tuple[LegacyContent, Place]]) -> None:
    told = [dict(row.columns) | place._asdict() for row, place in rows]
    await connection.execute(sql("shadow_legacy"), told)
    noted = [(row.id, *row.overruled, *place) for row, place in rows]
    await connection.execute(
        sql("shadow_legacy_rows"), *(list(column) for column in zip(*noted, strict=True))
    )
