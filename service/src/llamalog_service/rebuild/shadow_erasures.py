"""Erasures of the shadow: noted as they are read, and applied to its rows before these are compared."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from llamalog_service.domain.erasures import Erasure
from llamalog_service.log.erasures import erasure_columns
from llamalog_service.postgres.statements import sql


async def note_erasures(
    connection: asyncpg.Connection, marked: Sequence[tuple[UUID, int, int]], erasures: Sequence[Erasure]
) -> None:
    """Note in the connection's transaction events of which a person was erased before, and erasures.

    Args:
        marked: the rows of these events, with partition and offset.
    """
    if marked:
        columns = (list(column) for column in zip(*marked, strict=True))
        await connection.execute(sql("shadow_erased_events"), *columns)
    if erasures:
        await connection.execute(sql("shadow_erasures"), *erasure_columns(erasures))


async def erase_shadow(connection: asyncpg.Connection) -> None:
    """Erase persons from the shadow's rows in the connection's transaction."""
    await connection.execute(sql("shadow_erase"))


async def keep_shadow_erasures(connection: asyncpg.Connection, *, are_applied: bool) -> None:
    """Insert the shadow's erasures that the live table lacks.

    Args:
        are_applied: whether the live table's rows are those of the shadow; else a pass over them follows.
    """
    await connection.execute(sql("repair_erasures"), are_applied)
