"""How far a consumer group has recorded each partition, kept in the rows' own transaction."""

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from llamalog_service.postgres.statements import sql


class Positions(NamedTuple):
    """The next offset to read, by partition, of one topic for one consumer group."""

    group: str
    topic: str
    next_offsets: Mapping[int, int]


async def advance_positions(connection: asyncpg.Connection, positions: Positions) -> dict[int, int]:
    """Note the positions in the connection's transaction; a late writer moves none back.

    Returns:
        The next offset noted before, of each partition that had one.
    """
    before = await connection.fetch(
        sql("advance_positions"),
        positions.group,
        positions.topic,
        list(positions.next_offsets),
        list(positions.next_offsets.values()),
    )
    return {record["partition"]: record["next_offset"] for record in before}


async def stored_positions(pool: asyncpg.Pool, group: str, topic: str) -> dict[int, int]:
    """The next offset that the database has recorded of each partition that it knows."""
    records = await pool.fetch(sql("positions"), group, topic)
    return {record["partition"]: record["next_offset"] for record in records}
