"""Operators' overrides that a job never seen counts as a root, and their revocations."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from llamalog_schemas.events import RootAdopted, RootOverrideEvent
from llamalog_schemas.keys import row_id
from llamalog_service.domain.rows import utc_milliseconds
from llamalog_service.postgres.statements import sql


class RootOverride(NamedTuple):
    """One override as kept in `root_decrees`; of several about a job the latest counts."""

    id: UUID
    job_id: str
    adopted: bool
    reason: str
    requested_by: str
    decreed_at: datetime


def override_of(event: RootOverrideEvent) -> RootOverride:
    """The override that an event states."""
    return RootOverride(
        row_id(event),
        event.data.job_id,
        isinstance(event, RootAdopted),
        event.data.reason,
        event.data.requested_by,
        utc_milliseconds(event.time),
    )


async def insert_overrides(
    connection: asyncpg.Connection, overrides: Sequence[RootOverride], *, told: bool
) -> None:
    """Keep overrides in the connection's transaction; one that is there already stays as it is.

    Args:
        told: whether events state them.
    """
    columns = [list(column) for column in zip(*overrides, strict=True)]
    await connection.execute(sql("insert_overrides"), *columns, told)
