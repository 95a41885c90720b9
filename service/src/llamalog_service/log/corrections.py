"""The cause of a correction: kept with the history of the roots that it changes."""

from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from llamalog_service.postgres.locks import RECOMPUTE_LOCK


class CauseKind(StrEnum):
    """The part of the service that changed roots."""

    RECOMPUTE = "recompute"
    BACKFILL = "backfill"
    VERIFICATION = "verification"
    SWEEP = "sweep"
    REPAIR = "repair"
    RETRACTION = "retraction"


class Cause(Struct, frozen=True, omit_defaults=True):
    """The cause of a correction.

    Attributes:
        runs: the recomputes that were done together, or the backfill.
        retractions: those that were applied together.
    """

    kind: CauseKind
    runs: tuple[UUID, ...] = ()
    retractions: tuple[UUID, ...] = ()

    def encoded(self) -> str:
        """The cause as JSON, which statements read from the setting `llamalog.cause`."""
        return msgspec.json.encode(self).decode()


RECOMPUTE: Final = Cause(CauseKind.RECOMPUTE)
SWEEP: Final = Cause(CauseKind.SWEEP)
REPAIR: Final = Cause(CauseKind.REPAIR)


async def begin_correction(connection: asyncpg.Connection, cause: Cause) -> None:
    """Wait for the lock of all corrections, as `lock_recompute` does, and state the cause of this one.

    The statements of the transaction that change roots write it into the history.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1), set_config('llamalog.cause', $2, true)",
        RECOMPUTE_LOCK,
        cause.encoded(),
    )
