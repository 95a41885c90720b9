"""The live table from the side of a rebuild: how far it is, and whether there is anything in it."""

from uuid import UUID

import asyncpg

from llamalog_service.log.eventless_rows import Eventless
from llamalog_service.log.log_store import stored_positions
from llamalog_service.postgres.statements import sql


class LiveTable:
    """Looks at the live table; changes nothing."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def next_offsets(self, group: str, topic: str) -> dict[int, int]:
        """Up to where its rows come from the topic, by partition."""
        return await stored_positions(self._pool, group, topic)

    async def is_empty(self) -> bool:
        """Whether it holds no row and no override."""
        return bool(
            await self._pool.fetchval(
                "SELECT NOT EXISTS (SELECT FROM llama_logs) AND NOT EXISTS (SELECT FROM root_decrees)"
            )
        )

    async def eventless(self) -> Eventless:
        """How many rows and overrides were there before their event and have none that was read."""
        return Eventless(*await self._pool.fetchrow(sql("eventless_count")))

    async def some_eventless(self, limit: int) -> list[UUID]:
        """The first of these rows."""
        return [record["id"] for record in await self._pool.fetch(sql("eventless_some"), limit)]
