"""Initial load of an empty live table from the shadow, in one transaction, and the enum labels it needs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.errors import RowRefusedError, UnavailableError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import Content
from llamalog_service.log.log_store import Positions, TopicPartition, advance_positions
from llamalog_service.log.recompute import MEMORY
from llamalog_service.log.row_writes import WRITE_REFUSALS, savepoint, write_by_halves
from llamalog_service.postgres.errors import NO_DATA
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import Row, sql
from llamalog_service.rebuild.comparison import (
    IS_EMPTY,
    RebuildSelection,
    Side,
    count_side,
    rule_over_shadow,
)
from llamalog_service.rebuild.errors import EnumLabelsNotAddedError, TableNotEmptyError
from llamalog_service.rebuild.ports import CommitOffsets, OnProgress, RebuildProgress
from llamalog_service.rebuild.shadow import (
    END_WITH_CLIENT,
    INDEX_ROWS,
    add_shadow_producers,
    keep_shadow_overrides,
    require_comparison,
)

_log = structlog.get_logger("llamalog.rebuild")

MAX_ENUM_LABELS: Final = 100
"""Labels that an enum may have: a writer to the topic must not be able to make enums grow without end."""

_MAX_LABEL_BYTES: Final = 63
"""PostgreSQL's limit; a row with a longer label can't be written."""

_SPARSE_INDEXES: Final = {
    "llama_logs_conflicts_idx",
    "llama_logs_eventless_idx",
    "llama_logs_failures_idx",
    "llama_logs_to_normalise_idx",
    "llama_logs_unknown_origin_idx",
    "llama_logs_unsettled_idx",
}
"""Indexes of few rows: to keep one up to date costs less than to read the whole table for it."""

_LOCK: Final = "SET LOCAL lock_timeout = '5s'; LOCK TABLE llama_logs, root_overrides IN ACCESS EXCLUSIVE MODE"
_PORTION: Final = 5_000
_MOST_REFUSED: Final = 1_000
"""Each costs a dozen statements: where as many are refused, the table is not made for the log."""
_DROPPED: Final = "a trigger or a rule of the table drops the row without a word"
_INDEX_MEMORY: Final = "SET LOCAL maintenance_work_mem = '256MB'"


class Loaded(NamedTuple):
    """The counts of a loaded table; the rows and overrides left out, with the reasons."""

    counts: Side
    refused: dict[str, str]


class InitialLoadStore:
    """Loads the live table over one connection, which plans every statement anew.

    The ends of the walks to the roots stay in the connection's work tables up to the load.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.resolving = asyncio.create_task(self.resolve())

    async def resolve(self) -> None:
        """Find the ends of the walks from the shadow's jobs."""
        await self._connection.execute(sql("compare_prepare"))
        async with self._connection.transaction():
            await self._connection.execute(END_WITH_CLIENT)
            async with rule_over_shadow(self._connection):
                pass  # its work tables stay; the rows get their roots on their way into the live table

    async def resolved(self, *, anew: bool) -> None:
        """Wait until the roots of the shadow's jobs are known.

        Args:
            anew: the shadow was changed meanwhile.
        """
        await self.resolving
        if anew:
            await self.resolve()

    async def load(
        self, group: str, next_offsets: Mapping[TopicPartition, int], on_progress: OnProgress
    ) -> Loaded:
        """Insert every row of the shadow into the empty live table, build its indexes, record the positions.

        One transaction after the roots are known, during which readers wait; a crash leaves the table empty.
        Rows and overrides that PostgreSQL refuses, or drops, are left out.

        Raises:
            RowRefusedError: more than a thousand are refused; nothing is written.
            TableNotEmptyError: it holds something by now.
            ShadowLostError: a crash has emptied the shadow.
            UnavailableError: nothing is written, or the commit's outcome is unknown.
        """
        connection = self._connection
        await require_comparison(connection)
        await add_shadow_producers(connection)
        on_progress(RebuildProgress("loading the live table, then its indexes"))
        async with connection.transaction():
            await connection.execute(f"{END_WITH_CLIENT}; {_LOCK}")
            if not await connection.fetchval(IS_EMPTY):
                raise TableNotEmptyError
            refused = await _load(connection)
            on_progress(RebuildProgress("counting"))
            counts = await count_side(connection, "live", RebuildSelection())
            await advance_positions(connection, Positions(group, next_offsets))
        on_progress(RebuildProgress("gathering statistics"))
        await connection.execute("ANALYZE llama_logs")
        return Loaded(counts, {str(row): reason for row, reason in refused.items()})


@asynccontextmanager
async def resolving(pool: asyncpg.Pool) -> AsyncIterator[InitialLoadStore]:
    """A store that resolves the roots of the shadow's jobs meanwhile."""
    async with pool.acquire() as connection:
        store = InitialLoadStore(connection)
        try:
            yield store
        finally:
            store.resolving.cancel()
            await asyncio.gather(store.resolving, return_exceptions=True)


async def commit_loaded(
    commit: CommitOffsets, topic: str, next_offsets: Mapping[TopicPartition, int]
) -> None:
    """Commit a loaded table's positions for the consumer, which else reads all events as duplicates."""
    outcome = "offsets were not committed: the consumer group reads the loaded events again, as duplicates"
    try:
        if not await commit(next_offsets):
            _log.info(outcome, topic=topic, reason="the group has active members")
    except UnavailableError as away:
        _log.warning(outcome, topic=topic, reason=str(away))


async def _load(connection: asyncpg.Connection) -> dict[UUID, str]:
    """Rows first, then the indexes: building one costs a fraction of keeping it up to date."""
    await connection.execute(f"{MEMORY}; {_INDEX_MEMORY}")
    indexes = await connection.fetch(sql("initial_load_indexes"))
    indexes = [index for index in indexes if index["name"] not in _SPARSE_INDEXES]
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    refused = await _load_rows(connection, await connection.fetchval(sql("repair_revision")))
    refused |= await _load_overrides(connection)
    await keep_shadow_overrides(connection, are_applied=True)
    for index in indexes:
        await _create_index(connection, index)
    return refused


async def _create_index(connection: asyncpg.Connection, index: Row) -> None:
    await connection.execute(index["definition"])
    if index["comment"] is not None:
        await connection.execute(f"COMMENT ON INDEX {index['name']} IS {index['comment']}")


@asynccontextmanager
async def _without_key(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Drop the primary key, if nothing forbids it, and make it again at the end of the context.

    Ids come in no order: to keep the key up to date takes longer than to sort them.
    """
    key = await connection.fetchrow(sql("initial_load_key"))
    if key is not None:
        await connection.execute(f"ALTER TABLE llama_logs DROP CONSTRAINT {key['name']}")
    yield
    if key is not None:
        name = key["name"]
        await _create_index(connection, key)
        await connection.execute(
            f"ALTER TABLE llama_logs ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {name}"
        )
        if key["constraint_comment"] is not None:
            await connection.execute(
                f"COMMENT ON CONSTRAINT {name} ON llama_logs IS {key['constraint_comment']}"
            )


async def _load_rows(connection: asyncpg.Connection, revision: int) -> dict[UUID, str]:
    """All rows by one statement; where some are refused or dropped, by portions and halves."""

    async def insert(rows: Sequence[UUID] | None) -> None:
        expected = len(rows) if rows is not None else await connection.fetchval(sql("initial_load_count"))
        if rows_of(await connection.execute(sql("initial_load_rows"), revision, rows)) < expected:
            raise RowRefusedError(_DROPPED, NO_DATA)

    async def load(rows: Sequence[UUID]) -> None:
        await insert(rows)
        await connection.execute(sql("repair_legacy"), rows)

    try:
        async with savepoint(connection):
            async with _without_key(connection):
                await insert(None)
            await connection.execute(sql("repair_legacy"), None)
        return {}
    except WRITE_REFUSALS as refusal:
        _log.warning("some rows are refused", reason=str(refusal))
    await connection.execute(INDEX_ROWS)
    refused: dict[UUID, str] = {}
    after: UUID | None = None
    while portion := await connection.fetch(sql("initial_load_portion"), after, _PORTION):
        refused |= await write_by_halves(connection, "content", [row["id"] for row in portion], load)
        if len(refused) > _MOST_REFUSED:
            first = next(iter(refused.values()))
            raise RowRefusedError(
                f"More than {_MOST_REFUSED} rows are refused, the first one: {first}", NO_DATA
            )
        after = portion[-1]["id"]
    return refused


async def _load_overrides(connection: asyncpg.Connection) -> dict[UUID, str]:
    ids = [record["id"] for record in await connection.fetch(sql("initial_load_override_ids"))]

    async def load(some: Sequence[UUID]) -> None:
        await connection.execute(sql("initial_load_overrides"), some)

    return await write_by_halves(connection, "override", ids, load)


class EnumLabelStore:
    """Compares the labels of rows with the log's enums, and adds labels to them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def missing(self, rows: Iterable[Content]) -> dict[str, frozenset[str]]:
        """The labels of legacy rows that the enums lack, by column."""
        legacy = [row.columns for row in rows if type(row) is LegacyContent]
        if not legacy:
            return {}
        found: dict[str, frozenset[str]] = {}
        for column, _, labels in await self._enums():
            missing = _labels_of(legacy, column) - set(labels)
            if missing:
                found[column] = frozenset(missing)
        return found

    async def add(self, missing: Mapping[str, frozenset[str]]) -> None:
        """Add labels to the enums of columns.

        Each in a transaction of its own: none can be used in the transaction that adds it.

        Raises:
            EnumLabelsNotAddedError: the type is another role's, or would have too many labels.
        """
        for column, type_, labels in await self._enums():
            added = sorted(missing.get(column, frozenset()) - set(labels))
            if added and len(labels) + len(added) > MAX_ENUM_LABELS:
                raise EnumLabelsNotAddedError(type_, f"it would have more than {MAX_ENUM_LABELS}")
            for label in added:
                await self._add(type_, label)

    async def _add(self, type_: str, label: str) -> None:
        async with self._pool.acquire() as connection:
            try:
                await connection.execute(f"ALTER TYPE {type_} ADD VALUE IF NOT EXISTS {_quoted(label)}")
            except asyncpg.InsufficientPrivilegeError as refusal:
                raise EnumLabelsNotAddedError(type_, f"{refusal}; its owner may do it") from refusal

    async def _enums(self) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self._pool.fetch(sql("enum_labels"))
        return found


def _labels_of(rows: Iterable[Mapping[str, str]], column: str) -> set[str]:
    labels = {row[column] for row in rows if column in row}
    return {label for label in labels if len(label.encode()) <= _MAX_LABEL_BYTES}


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
