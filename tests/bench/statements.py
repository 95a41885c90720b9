"""What PostgreSQL is busy with during a drain, by looking at its sessions again and again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

EVERY_SECONDS = 0.02

_ACTIVE = """
    SELECT application_name, coalesce(wait_event_type, 'CPU'), query
    FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
"""
_MAX_OF_A_STATEMENT = 90

Statements = Counter[tuple[str, str, str]]
"""How often a session was seen active: by program, what it waited for (or CPU), and statement."""


@asynccontextmanager
async def sampled_statements(database_url: str) -> AsyncIterator[Statements]:
    """Count the active sessions of a database every 20 ms while the context lasts."""
    connection = await asyncpg.connect(database_url)
    seen: Statements = Counter()

    async def look() -> None:
        statement = await connection.prepare(_ACTIVE)
        while True:
            for program, waits_for, query in await statement.fetch():
                seen[program, waits_for, _name(query)] += 1
            await asyncio.sleep(EVERY_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await connection.close()


def _name(query: str) -> str:
    """The comment with which a named statement begins, else its first line."""
    lines = query.strip().splitlines() or ["(none)"]
    return lines[0].removeprefix("--").strip()[:_MAX_OF_A_STATEMENT]
