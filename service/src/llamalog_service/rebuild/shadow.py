"""The shadow: the rows that follow from the topic, in a schema beside the live table.

Interrupted, it stays and is resumed; a crash of PostgreSQL empties it, rows and positions alike.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import asyncpg
from msgspec.structs import astuple

from llamalog_service import kernels
from llamalog_service.domain.erasures import Erasure
from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.overrides import Override, RootOverride
from llamalog_service.domain.retractions import Retraction
from llamalog_service.domain.rows import Content, RowContent
from llamalog_service.log.erasures import erasure_columns
from llamalog_service.log.row_copy import add_producers, encodable, in_portions
from llamalog_service.postgres.errors import translated
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import sql
from llamalog_service.rebuild.errors import RebuildRefusedError, ShadowLostError
from llamalog_service.rebuild.ports import SCHEMA, MessagePosition

INDEX_ROWS: Final = f"""
    CREATE UNIQUE INDEX IF NOT EXISTS rows_id ON {SCHEMA}.llama_logs (id);
    CREATE UNIQUE INDEX IF NOT EXISTS roots_id ON {SCHEMA}.roots (row_id)
"""

FORMAT: Final = 10
"""Raised with every change of the shadow's tables or of how events become rows; others are not resumed."""

END_WITH_CLIENT: Final = "SET LOCAL client_connection_check_interval = '2s'"
"""Without it PostgreSQL continues a statement for hours after its client was killed."""

_ROW_COLUMNS: Final = (*RowContent.__struct_fields__, "partition", "offset")
_ROOT_COLUMNS: Final = (*RootOverride._fields, "partition", "offset")
_ANY_RETRACTIONS: Final = f"SELECT EXISTS (SELECT FROM {SCHEMA}.retractions)"  # noqa: S608
_HAS_COMPARISON: Final = f"SELECT EXISTS (SELECT FROM {SCHEMA}.comparison)"  # noqa: S608
_METADATA: Final = f"SELECT id, format, topic, source, begun_by, begun_at FROM {SCHEMA}.about"  # noqa: S608
_HAS_ALL_LABELS: Final = f"SELECT has_all_labels FROM {SCHEMA}.about"  # noqa: S608
_SET_ALL_LABELS: Final = f"UPDATE {SCHEMA}.about SET has_all_labels = $1"  # noqa: S608
_INSERT_METADATA: Final = (
    f"INSERT INTO {SCHEMA}.about (id, format, topic, source, begun_by, has_all_labels) "  # noqa: S608
    "VALUES ($1, $2, $3, $4, $5, $6)"
)


class ShadowBatch(NamedTuple):
    """Decoded messages of all partitions.

    Attributes:
        positions, override_positions: of `rows` and of `overrides`, in step.
        next_offsets: by partition, after the batch.
        messages, dead_letters, tombstones: counts by partition.
    """

    rows: Sequence[Content]
    positions: Sequence[MessagePosition]
    erased: Collection[UUID] = ()  # rewritten without their person
    overrides: Sequence[Override] = ()
    override_positions: Sequence[MessagePosition] = ()
    next_offsets: Mapping[int, int] = {}
    messages: Mapping[int, int] = {}
    dead_letters: Mapping[int, int] = {}
    tombstones: Mapping[int, int] = {}


class ShadowMetadata(NamedTuple):
    """The rebuild that a shadow belongs to."""

    id: UUID
    format: int
    topic: str
    source: str
    begun_by: str
    begun_at: datetime


class ReadProgress(NamedTuple):
    """The next offsets of the shadow by partition, and counts of the messages before them."""

    next_offsets: dict[int, int]
    messages: int
    dead_letters: int
    tombstones: int


class ShadowLeftoversError(RebuildRefusedError):
    """The shadow's schema holds a shadow that this rebuild can't resume, or is not ours."""

    def __init__(self, found: ShadowMetadata | None) -> None:
        origin = (
            "llamalog did not make it, or a crash came in between"
            if found is None
            else f"begun {found.begun_at:%Y-%m-%d %H:%M} by {found.begun_by}, of {found.topic} "
            f"from {found.source}, format {found.format}"
        )
        super().__init__(
            f"The schema {SCHEMA} holds the leftovers of another rebuild ({origin}), which this one can't "
            "resume. Nothing was done. If they are not needed, drop them and begin anew: add --discard."
        )
        self.found = found


class ShadowStore:
    """Creates, resumes, writes and drops the shadow."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find(self) -> tuple[bool, ShadowMetadata | None]:
        """Whether the shadow's schema exists, and the metadata in it."""
        if await self._pool.fetchval("SELECT to_regnamespace($1) IS NULL", SCHEMA):
            return False, None
        if await self._pool.fetchval("SELECT to_regclass($1) IS NULL", f"{SCHEMA}.about"):
            return True, None
        record = await self._pool.fetchrow(_METADATA)
        return True, None if record is None else ShadowMetadata(*record)

    async def create_or_resume(
        self, *, topic: str, source: str, begun_by: str, needs_all_labels: bool
    ) -> None:
        """Resume the shadow of an interrupted rebuild of the same topic and source, or create one.

        Args:
            needs_all_labels: no row is to be left out for a label that the live table's enums lack; a shadow
                that has left some out is dropped and created anew.

        Raises:
            ShadowLeftoversError: the schema holds something else.
            UnavailableError: also where the schema may not be created.
        """
        exists, found = await self.find()
        if exists and (found is None or found[1:4] != (FORMAT, topic, source)):
            raise ShadowLeftoversError(found)
        if exists and await self._resume(needs_all_labels=needs_all_labels):
            return
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            await connection.execute(sql("shadow_create"))
            await connection.execute(
                _INSERT_METADATA, uuid4(), FORMAT, topic, source, begun_by, needs_all_labels
            )

    async def _resume(self, *, needs_all_labels: bool) -> bool:
        """Make the shadow ready to be read into again; False if it has left out rows that are needed."""
        async with self._pool.acquire() as connection, connection.transaction():
            has_all_labels = await connection.fetchval(_HAS_ALL_LABELS)
            if needs_all_labels and not has_all_labels and (await read_progress(connection)).dead_letters:
                return False
            await connection.execute(_SET_ALL_LABELS, needs_all_labels)
            await connection.execute(sql("shadow_reset"))
        return True

    async def reset(self) -> None:
        """Leave in the shadow nothing but the rows that were read."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("shadow_reset"))

    async def discard(self) -> None:
        """Drop the shadow, if there is one."""
        await self._pool.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")

    async def progress(self) -> ReadProgress:
        """The shadow's next offsets and counts."""
        async with self._pool.acquire() as connection:
            return await read_progress(connection)

    async def write(self, batch: ShadowBatch) -> None:
        """Write a batch and its next offsets in one transaction.

        Raises:
            UnavailableError: the commit's outcome may be unknown; see `progress`.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await write_batch(connection, batch)


@asynccontextmanager
async def compared_shadow(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection that has found the result of the comparison in the shadow.

    A crash of PostgreSQL after that ends the connection, so that an emptied shadow is never read.

    Raises:
        ShadowLostError: the shadow is empty or dropped.
        UnavailableError: PostgreSQL is away.
    """
    async with pool.acquire() as connection:
        await require_comparison(connection)
        yield connection


async def require_comparison(connection: asyncpg.Connection) -> None:
    """Refuse to continue without the result of the comparison.

    Raises:
        ShadowLostError: the shadow is empty or dropped.
    """
    try:
        has_comparison = await connection.fetchval(_HAS_COMPARISON)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as gone:
        raise ShadowLostError from gone
    if not has_comparison:
        raise ShadowLostError


async def add_shadow_producers(connection: asyncpg.Connection) -> None:
    """Give numbers to the producers of the shadow's rows, outside of any transaction."""
    found = await connection.fetch(sql("shadow_producers"))
    await add_producers(connection, [one["producer"] for one in found])


async def read_progress(connection: asyncpg.Connection) -> ReadProgress:
    """As `ShadowStore.progress`, in the connection's transaction."""
    records = await connection.fetch(sql("shadow_positions"))
    return ReadProgress(
        {record["partition"]: record["next_offset"] for record in records},
        sum(record["messages"] for record in records),
        sum(record["dead_letters"] for record in records),
        sum(record["tombstones"] for record in records),
    )


async def write_batch(connection: asyncpg.Connection, batch: ShadowBatch) -> None:
    """As `ShadowStore.write`, in the connection's transaction."""
    refused = await _insert_rows(connection, batch)
    if batch.erased:
        placed = zip(batch.rows, batch.positions, strict=True)
        marked = [(row.id, *position) for row, position in placed if row.id in batch.erased]
        await note_erased_events(connection, marked)
    await note_overrides(connection, batch.overrides, batch.override_positions)
    partitions = list(batch.next_offsets)
    await connection.execute(
        sql("shadow_advance"),
        partitions,
        list(batch.next_offsets.values()),
        [batch.messages.get(partition, 0) for partition in partitions],
        [batch.dead_letters.get(partition, 0) + refused.get(partition, 0) for partition in partitions],
        [batch.tombstones.get(partition, 0) for partition in partitions],
    )


async def _insert_rows(connection: asyncpg.Connection, batch: ShadowBatch) -> dict[int, int]:
    """Insert rows; those that PostgreSQL refuses are left out, as by the ingest, and counted by partition."""
    rows = list(zip(batch.rows, batch.positions, strict=True))
    if not rows:
        return {}
    try:
        await _insert(connection, rows)
    except RowRefusedError:
        return await _insert_one_by_one(connection, rows)
    return {}


async def _insert_one_by_one(
    connection: asyncpg.Connection, rows: Sequence[tuple[Content, MessagePosition]]
) -> dict[int, int]:
    refused = Counter[int]()
    for row, position in rows:
        try:
            await _insert(connection, [(row, position)])
        except RowRefusedError:
            refused[position.partition] += 1
    return refused


async def _insert(connection: asyncpg.Connection, rows: Sequence[tuple[Content, MessagePosition]]) -> None:
    """Insert rows of entity events by COPY, and legacy rows, which are texts, by a statement."""
    events: list[RowContent] = []
    positions: list[MessagePosition] = []
    legacy: list[tuple[LegacyContent, MessagePosition]] = []
    for row, position in rows:
        if type(row) is RowContent:
            events.append(row)
            positions.append(position)
        elif isinstance(row, LegacyContent):
            legacy.append((row, position))
    with translated():
        async with connection.transaction():
            if events:
                await _copy(connection, events, positions)
            if legacy:
                await _insert_legacy(connection, legacy)


async def _copy(
    connection: asyncpg.Connection, rows: Sequence[RowContent], positions: Sequence[MessagePosition]
) -> None:
    """By the kernel where that is built and knows the types, which are those of the live table."""
    elements = None
    if kernels.compiled is not None:
        elements = encodable(_ROW_COLUMNS, await connection.fetchval(sql("shadow_types"), _ROW_COLUMNS))
    if elements is None:
        records = [astuple(row) + position for row, position in zip(rows, positions, strict=True)]
        await connection.copy_records_to_table(
            "llama_logs", schema_name=SCHEMA, columns=_ROW_COLUMNS, records=records
        )
        return
    encode: Any = kernels.compiled.placed_data  # type: ignore[union-attr]
    source = in_portions(lambda share: encode(rows[share], positions[share], elements), len(rows))
    await connection.copy_to_table(
        "llama_logs", schema_name=SCHEMA, columns=_ROW_COLUMNS, source=source, format="binary"
    )


async def _insert_legacy(
    connection: asyncpg.Connection, rows: Sequence[tuple[LegacyContent, MessagePosition]]
) -> None:
    texts = [dict(row.columns) | position._asdict() for row, position in rows]
    await connection.execute(sql("shadow_legacy"), texts)
    overruled = [(row.id, *row.overruled, *position) for row, position in rows]
    await connection.execute(
        sql("shadow_legacy_rows"), *(list(column) for column in zip(*overruled, strict=True))
    )


async def note_overrides(
    connection: asyncpg.Connection, overrides: Sequence[Override], positions: Sequence[MessagePosition]
) -> None:
    """Note overrides in the connection's transaction.

    Args:
        positions: of the overrides, in step.
    """
    placed = zip(overrides, positions, strict=True)
    roots = [one + position for one, position in placed if isinstance(one, RootOverride)]
    erasures = [one for one in overrides if isinstance(one, Erasure)]
    retractions = [one for one in overrides if isinstance(one, Retraction)]
    if roots:
        await connection.copy_records_to_table(
            "root_overrides", schema_name=SCHEMA, columns=_ROOT_COLUMNS, records=roots
        )
    if erasures:
        await connection.execute(sql("shadow_erasures"), *erasure_columns(erasures))
    if retractions:
        columns = (list(column) for column in zip(*retractions, strict=True))
        await connection.execute(sql("shadow_retractions"), *columns)


async def note_erased_events(connection: asyncpg.Connection, marked: Sequence[tuple[UUID, int, int]]) -> None:
    """Note in the connection's transaction events of which a person was erased before.

    Args:
        marked: the rows of these events, with partition and offset.
    """
    columns = (list(column) for column in zip(*marked, strict=True))
    await connection.execute(sql("shadow_erased_events"), *columns)


async def apply_to_shadow(connection: asyncpg.Connection) -> int:
    """Erase persons from the shadow's rows, and mark retracted ones, in the connection's transaction.

    Returns:
        How many rows are marked otherwise than before: roots may follow from them.
    """
    await connection.execute(sql("shadow_erase"))
    if not await connection.fetchval(_ANY_RETRACTIONS):
        return 0
    return rows_of(await connection.execute(sql("shadow_retract")))


async def keep_shadow_overrides(connection: asyncpg.Connection, *, are_applied: bool) -> None:
    """Insert the shadow's erasures and retractions that the live table lacks.

    Args:
        are_applied: whether the live table's rows are those of the shadow; else a pass over them follows.
    """
    await connection.execute(sql("repair_erasures"), are_applied)
    await connection.execute(sql("repair_retractions"), are_applied)
