"""Writes of root overrides."""

from collections.abc import Sequence

import asyncpg

from llamalog_service.domain.overrides import RootOverride
from llamalog_service.postgres.statements import sql


async def insert_overrides(
    connection: asyncpg.Connection, overrides: Sequence[RootOverride], *, sourced: bool
) -> None:
    """Keep overrides in the connection's transaction; one that is there already stays as it is.

    Args:
        sourced: whether events that were read state them.
    """
    columns = [list(column) for column in zip(*overrides, strict=True)]
    await connection.execute(sql("insert_overrides"), *columns, sourced)
