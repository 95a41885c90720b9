"""Operators' decrees that a job never seen counts as a root, and their revocations."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from llamalog_schemas.events import RootAdopted, RootDecree
from llamalog_schemas.keys import row_id
from llamalog_service.domain.rows import utc_milliseconds
from llamalog_service.postgres.statements import sql


class Decree(NamedTuple):
    """One decree as kept in `root_decrees`; of several about a job the latest counts."""

    id: UUID
    job_id: str
    adopted: bool
    reason: str
    requested_by: str
    decreed_at: datetime


def decree_of(event: RootDecree) -> Decree:
    """The decree that an event states."""
    return Decree(
        row_id(event),
        event.data.job_id,
        isinstance(event, RootAdopted),
        event.data.reason,
        event.data.requested_by,
        utc_milliseconds(event.time),
    )


async def insert_decrees(connection: asyncpg.Connection, decrees: Sequence[Decree], *, told: bool) -> None:
    """Keep decrees in the connection's transaction; one that is there already stays as it is.

    Args:
        told: whether events state them.
    """
    columns = [list(column) for column in zip(*decrees, strict=True)]
    await connection.execute(sql("insert_decrees"), *columns, told)
