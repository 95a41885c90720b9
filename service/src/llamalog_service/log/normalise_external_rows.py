"""Take in rows that another writer put into the table: what they say and the rules overrule is kept aside."""

import asyncpg

from llamalog_service.postgres.statements import sql


async def take_in_parents(connection: asyncpg.Connection) -> list[str]:
    """Clear the parents of rows that call themselves root jobs; the first value kept of a row stays kept.

    Cheap where there are none, whatever else waits for its origin.

    Returns:
        The jobs that lost a claim by it: they and what is below them are to be recomputed.
    """
    return [record["job"] for record in await connection.fetch(sql("take_in_parents"))]
