"""The live table set right: some rows a short transaction, each held against the shadow once more."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from llamalog_service.log.recompute import BY_INDEX, LOCK_TIMEOUT_SECONDS
from llamalog_service.postgres.locks import lock_recompute
from llamalog_service.postgres.statements import sql
from llamalog_service.rebuild.kept_shadow import kept_shadow
from llamalog_service.rebuild.shadow import SCHEMA, Told, record_told

_INDEXES: Final = f"""
    CREATE UNIQUE INDEX IF NOT EXISTS rows_id ON {SCHEMA}.llama_logs (id);
    CREATE UNIQUE INDEX IF NOT EXISTS roots_id ON {SCHEMA}.roots (row_id);
    CREATE UNIQUE INDEX IF NOT EXISTS differences_id ON {SCHEMA}.differences (id);
    CREATE INDEX IF NOT EXISTS legacy_rows_id ON {SCHEMA}.legacy_rows (row_id)
"""


class Difference(NamedTuple):
    """A differing row, and the jobs at which the walks begin that it may have led astray."""

    id: UUID
    starts: Sequence[str]


class RepairStore:
    """Applies noted differences, over a pool whose connections plan every statement anew.

    Whatever looks at the shadow raises ShadowLostError where it does not hold any more what was compared.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get_ready(self) -> None:
        """Have the rows of the shadow found by their ids."""
        async with kept_shadow(self._pool) as connection, connection.transaction():
            await connection.execute(_INDEXES)

    async def next(self, after: UUID | None, limit: int) -> list[Difference]:
        """The differences that nobody has mended, in the order of their rows."""
        async with kept_shadow(self._pool) as connection:
            records = await connection.fetch(sql("mend_next"), after, limit)
        return [Difference(record["id"], record["starts"]) for record in records]

    async def first_revision(self) -> int:
        """The revision that a row gets which was gone."""
        return int(await self._pool.fetchval(sql("mend_revision")))

    async def overrides(self) -> set[str]:
        """Mend overrides; about which jobs."""
        async with kept_shadow(self._pool) as connection, connection.transaction():
            await lock_recompute(connection)
            return {record["job_id"] for record in await connection.fetch(sql("mend_overrides"))}

    async def mend(self, rows: Collection[UUID], revision: int) -> None:
        """Make live rows what they are in the shadow, but for their roots, in one transaction.

        Whatever live traffic did to a row since the comparison counts: a row that is as it has to be by now
        is left alone.

        Args:
            revision: of rows that are put in.

        Raises:
            RowsLockedError: another session holds some of the rows; nothing was written.
            UnavailableError: it cannot be told whether anything was written; mending again is safe.
        """
        ids = list(rows)
        async with kept_shadow(self._pool) as connection, connection.transaction():
            await lock_recompute(connection)
            await connection.execute(
                f"SET LOCAL lock_timeout = {round(LOCK_TIMEOUT_SECONDS * 1000)}; {BY_INDEX}"
            )
            await connection.execute(sql("mend_missing"), ids, revision)
            await connection.execute(sql("mend_legacy"), ids)
            await connection.execute(sql("mend_extra"), ids)
            await connection.execute(sql("mend_content"), ids)
            await connection.execute(sql("mend_untracked"), ids)
            await connection.execute(sql("mend_done"), ids)

    async def removed(self) -> set[UUID]:
        """The rows that were removed because nobody had told them."""
        async with kept_shadow(self._pool) as connection:
            return {record["id"] for record in await connection.fetch(sql("mend_removed"))}

    async def told_later(self, told: Iterable[Told]) -> None:
        """Put into the shadow what was told after the comparison about rows that were removed."""
        async with kept_shadow(self._pool) as connection, connection.transaction():
            for portion in told:
                await record_told(connection, portion)
