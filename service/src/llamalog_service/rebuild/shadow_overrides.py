"""Overrides of the shadow: noted as they are read, and applied to its rows before these are compared."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from llamalog_service.domain.erasures import Erasure
from llamalog_service.domain.overrides import Override, RootOverride
from llamalog_service.domain.retractions import Retraction
from llamalog_service.log.erasures import erasure_columns
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import sql
from llamalog_service.rebuild.ports import SCHEMA, MessagePosition

_ROOT_COLUMNS: Final = (*RootOverride._fields, "partition", "offset")
_ANY_RETRACTIONS: Final = f"SELECT EXISTS (SELECT FROM {SCHEMA}.retractions)"  # noqa: S608


async def note_overrides(
    connection: asyncpg.Connection, overrides: Sequence[Override], positions: Sequence[MessagePosition]
) -> None:
    """Note overrides in the connection's transaction.

    Args:
        positions: of the overrides, in step.
    """
    placed = zip(overrides, positions, strict=True)
    roots = [one + position for one, position in placed if isinstance(one, RootOverride)]
    erasures = [one for one in overrides if isinstance(one, Erasure)]
    retractions = [one for one in overrides if isinstance(one, Retraction)]
    if roots:
        await connection.copy_records_to_table(
            "root_overrides", schema_name=SCHEMA, columns=_ROOT_COLUMNS, records=roots
        )
    if erasures:
        await connection.execute(sql("shadow_erasures"), *erasure_columns(erasures))
    if retractions:
        columns = (list(column) for column in zip(*retractions, strict=True))
        await connection.execute(sql("shadow_retractions"), *columns)


async def note_erased_events(connection: asyncpg.Connection, marked: Sequence[tuple[UUID, int, int]]) -> None:
    """Note in the connection's transaction events of which a person was erased before.

    Args:
        marked: the rows of these events, with partition and offset.
    """
    columns = (list(column) for column in zip(*marked, strict=True))
    await connection.execute(sql("shadow_erased_events"), *columns)


async def apply_to_shadow(connection: asyncpg.Connection) -> int:
    """Erase persons from the shadow's rows, and mark retracted ones, in the connection's transaction.

    Returns:
        How many rows are marked otherwise than before: roots may follow from them.
    """
    await connection.execute(sql("shadow_erase"))
    if not await connection.fetchval(_ANY_RETRACTIONS):
        return 0
    return rows_of(await connection.execute(sql("shadow_retract")))


async def keep_shadow_overrides(connection: asyncpg.Connection, *, are_applied: bool) -> None:
    """Insert the shadow's erasures and retractions that the live table lacks.

    Args:
        are_applied: whether the live table's rows are those of the shadow; else a pass over them follows.
    """
    await connection.execute(sql("repair_erasures"), are_applied)
    await connection.execute(sql("repair_retractions"), are_applied)
