"""Erasures kept, and applied to the rows that are in the table already.

Several processes write rows while one records an erasure. A batch is erased by the erasures that its process
knows, and its transaction compares their number with the table's. A transaction that began before the erasure
was recorded may commit after it, behind the pass over the table: so the number is compared again after the
commit, and the pass is repeated where a row of the batch is of an erased person. Of the two, the one that
comes later sees the other.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from llamalog_schemas.events import user_digest
from llamalog_service.domain.erasures import Erasure, Erasures, without_keys
from llamalog_service.domain.rows import StoredRow
from llamalog_service.log.row_writes import RowWrite, write_rows
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import Row, sql

_PAGE: Final = 5_000
"""Rows that one transaction reads, and erases where they are of an erased person."""

_ERASE: Final = RowWrite(
    name="erase",
    rows="erase_rows",
    write="erase_write",
    undone="l.user_id IS NOT NULL OR NOT l.erased",
)

_log = structlog.get_logger("llamalog.log")


class ErasuresChangedError(Exception):
    """Erasures were recorded since a batch was erased: nothing was written."""


class ErasureCache:
    """The erasures of the table as one process knows them.

    Attributes:
        known: as they were when they were last read.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._count = 0
        self.known = Erasures()

    def require(self, count: int) -> None:
        """Check, within a transaction, that the table has as many erasures as are known.

        Raises:
            ErasuresChangedError: it has others; read them, and erase the batch by them.
        """
        if count != self._count:
            raise ErasuresChangedError

    async def reload(self) -> None:
        """Read the erasures of the table."""
        self._count, self.known = await load_erasures(self._pool)

    async def verify(self, count: int, published: Sequence[StoredRow]) -> None:
        """Have persons erased once more where the transaction of these rows did not see all their erasures.

        Args:
            count: the number of erasures that the table had after the commit.
        """
        if count != self._count:
            await self.reload()
        if not self.known:
            return
        users = {row.content.user_id for row in published if row.content.user_id is not None}
        missed = {user_digest(user) for user in users if self.known.of(user) is not None}
        if any(_keeps_a_key(row, self.known) for row in published):
            missed |= self.known.digests  # a row that is erased no longer leads to its person
        if missed:
            await self._pool.execute(sql("erasures_repeat"), sorted(missed))


def _keeps_a_key(row: StoredRow, known: Erasures) -> bool:
    """Whether a row was erased before its transaction saw an erasure that removes more of its metadata."""
    metadata = row.content.metadata
    return row.erased and without_keys(metadata, known.metadata_keys) != metadata


async def load_erasures(connection: asyncpg.Connection | asyncpg.Pool) -> tuple[int, Erasures]:
    """The number of erasures of the table, and what they say."""
    records = await connection.fetch(sql("erasures"))
    return len(records), erasures_of(records)


def erasures_of(records: Sequence[Row]) -> Erasures:
    """The erasures that are the result of the query of that name."""
    return Erasures(
        frozenset(record["user_digest"] for record in records),
        frozenset(key for record in records for key in record["metadata_keys"]),
    )


async def insert_erasures(connection: asyncpg.Connection, erasures: Sequence[Erasure]) -> None:
    """Keep erasures in the connection's transaction; one that is there already stays as it is."""
    await connection.execute(sql("insert_erasures"), *erasure_columns(erasures))


def erasure_columns(erasures: Sequence[Erasure]) -> list[list[Any]]:
    """The fields of erasures by columns, the metadata keys of each as a JSON text."""
    columns = [list(column) for column in zip(*erasures, strict=True)]
    columns[2] = [msgspec.json.encode(keys).decode() for keys in columns[2]]
    return columns


async def mark_erased(connection: asyncpg.Connection, rows: Sequence[UUID]) -> None:
    """Mark rows in the connection's transaction as rows of which a person was erased."""
    await connection.execute(sql("mark_erased"), rows)


class Eraser:
    """Erases persons from the rows of the table, in passes over it that resume where one was interrupted.

    Args:
        pool: its connections keep no plans.
        page: rows that one transaction reads.
    """

    def __init__(self, pool: asyncpg.Pool, *, page: int = _PAGE) -> None:
        self._pool = pool
        self._page = page

    async def erase_next(self) -> bool:
        """Erase from the next rows; False if no erasure waits.

        Raises:
            UnavailableError: the next call repeats it.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            reached = await connection.fetchval(sql("erasures_begin_pass"))
            if reached is None:
                return False
            last = await connection.fetchval(sql("erase_page"), reached, self._page)
            if last is None:
                removed = rows_of(await connection.execute(sql("erase_removed_rows")))
                await connection.execute(sql("erasures_end_pass"))
                _log.info("erasures applied", removed_rows=removed)
                return True
            written = await write_rows(connection, _ERASE, reached, last)
            erased = sum(record["changed"] for record in written.records)
            await connection.execute(
                sql("erasures_advance"), last if written.is_complete else reached, erased
            )
        if erased:
            _log.info("rows erased", rows=erased)
        return True
