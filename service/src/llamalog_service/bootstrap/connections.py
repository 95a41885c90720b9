"""Pools of PostgreSQL connections, built from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from llamalog_service.postgres.connection import prepare_connection
from llamalog_service.settings import DatabaseSettings

_SILENCE_SECONDS = 1
"""More than a statement is given, PostgreSQL is given to say so."""
_ANSWERS_WITHIN = 3600.0
_CONNECTED_WITHIN = 60.0
_ONLY_READS = {"plan_cache_mode": "force_generic_plan", "default_transaction_read_only": "on"}


@asynccontextmanager
async def open_pool(
    settings: DatabaseSettings,
    *,
    name: str,
    keep_plans: bool = True,
    only_reads: bool = False,
    most: int = 4,
    answer_within: float | None = 60,
    idle_within: float | None = None,
) -> AsyncIterator[asyncpg.Pool]:
    """A pool that connects at first use, so that a database that is away is waited for.

    Every query of the service has its index, and none may be given a scan of the table because it was
    planned while the table was small.

    Args:
        name: what PostgreSQL shows as the application.
        keep_plans: False, for the recompute, plans every statement anew and may scan.
        only_reads: plans each statement once, whatever its values, and leaves nothing in a session that
            had to be cleared after use: half of the time of a short query.
        most: connections.
        answer_within: whole seconds for a statement, or for a connection to be made; None: a statement may
            take for ever.
        idle_within: seconds after which PostgreSQL ends a session that does nothing within a transaction; a
            process that is frozen there would keep its locks from all others. None: never.
    """
    pool = asyncpg.create_pool(
        settings.database_dsn(),
        min_size=0,
        max_size=most,
        init=prepare_connection,
        timeout=answer_within or _CONNECTED_WITHIN,
        command_timeout=_patience_with_statements(answer_within, short=keep_plans),
        statement_cache_size=100 if keep_plans else 0,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            "enable_seqscan": "off" if keep_plans else "on",
            **(_ONLY_READS if only_reads else {}),
            # PostgreSQL says of itself that a question takes too long; a silence then means that it is away.
            **({"statement_timeout": f"{answer_within:.0f}s"} if only_reads and answer_within else {}),
            **({"idle_in_transaction_session_timeout": f"{idle_within * 1000:.0f}"} if idle_within else {}),
        },
        reset=_leave_as_it_is if only_reads else None,
    )
    async with pool:
        yield pool


def _patience_with_statements(answer_within: float | None, *, short: bool) -> float | None:
    """Seconds; those that plan anew, and may scan, are given longer than the `short` ones."""
    if answer_within is None:
        return None
    return answer_within + _SILENCE_SECONDS if short else _ANSWERS_WITHIN


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Clear nothing: reads set, lock and listen to nothing."""
