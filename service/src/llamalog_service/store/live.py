"""The live table from the side of a rebuild: how far it is, and whether there is anything in it."""

import asyncpg

from llamalog_service.store.connection import translated
from llamalog_service.store.positions import stored_positions


class LiveTable:
    """Looks at the live table; changes nothing."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def next_offsets(self, group: str, topic: str) -> dict[int, int]:
        """Up to where its rows come from the topic, by partition."""
        return await stored_positions(self._pool, group, topic)

    async def is_empty(self) -> bool:
        """Whether it holds no row and no decree."""
        with translated():
            return bool(
                await self._pool.fetchval(
                    "SELECT NOT EXISTS (SELECT FROM llama_logs) AND NOT EXISTS (SELECT FROM root_decrees)"
                )
            )
