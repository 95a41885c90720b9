"""An empty live table filled from the shadow, all at once.

Whoever reads it meanwhile waits, rather than see it half full.
"""

from collections.abc import Mapping

import asyncpg

from llamalog_service.log.log_store import Positions, advance_positions
from llamalog_service.log.root_rule import MEMORY
from llamalog_service.postgres.errors import StoreError
from llamalog_service.postgres.statements import sql
from llamalog_service.rebuild.kept_shadow import kept_shadow
from llamalog_service.rebuild.shadow import END_WITH_CLIENT

_LOCK = "SET LOCAL lock_timeout = '5s'; LOCK TABLE llama_logs, root_decrees IN ACCESS EXCLUSIVE MODE"
_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM llama_logs) AND NOT EXISTS (SELECT FROM root_decrees)"
_INDEX_MEMORY = "SET LOCAL maintenance_work_mem = '256MB'"


class NotEmptyAnyMoreError(StoreError):
    """Rows came into the live table while the shadow was made."""

    def __init__(self) -> None:
        super().__init__(
            "The live table was empty when the rebuild began, and is not any more: a consumer or somebody "
            "else has written to it. It was left as it is. Run the same command again: what was read is "
            "kept, and is compared with the table then."
        )


class InitialLoadStore:
    """Fills over a pool whose connections plan every statement anew."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def fill(self, group: str, topic: str, next_offsets: Mapping[int, int]) -> None:
        """Put every row of the shadow into the empty live table, build its indexes, note the positions.

        One transaction: a crash leaves the table empty.

        Raises:
            NotEmptyAnyMoreError: it holds something by now.
            ShadowLostError: the shadow does not hold any more what was worked out.
            UnavailableError: nothing is written, or the commit's outcome is unknown.
        """
        async with kept_shadow(self._pool) as connection:
            async with connection.transaction():
                await connection.execute(f"{END_WITH_CLIENT}; {_LOCK}")
                if not await connection.fetchval(_IS_EMPTY):
                    raise NotEmptyAnyMoreError
                await _fill(connection)
                await advance_positions(connection, Positions(group, topic, next_offsets))
            await connection.execute("ANALYZE llama_logs")


async def _fill(connection: asyncpg.Connection) -> None:
    """Rows first, then the indexes: building one costs a fraction of keeping it up to date."""
    await connection.execute(f"{MEMORY}; {_INDEX_MEMORY}")
    indexes = await connection.fetch(sql("fill_indexes"))
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(sql("fill_rows"), await connection.fetchval(sql("mend_revision")))
    await connection.execute(sql("mend_legacy"), None)
    await connection.execute(sql("fill_overrides"))
    for index in indexes:
        await connection.execute(index["definition"])
        if index["comment"] is not None:
            await connection.execute(f"COMMENT ON INDEX {index['name']} IS {index['comment']}")
