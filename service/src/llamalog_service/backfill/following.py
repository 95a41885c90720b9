"""A run followed by its events, or by its row where an event is missing, until it has ended."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from llamalog_schemas.backfills import BackfillEnded, BackfillEndedData
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.following import RunEvents
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import BackfillRun, BackfillState, read_backfill

_POLL_SECONDS: Final = 1.0
_MAX_SILENT_POLLS: Final = 5
"""Polls without an event of a run that has ended, after which its row counts as its end."""


class UnknownRunError(LlamalogError):
    """Neither the database nor the topic of events has a run of that id."""

    def __init__(self, run: UUID, seconds: float) -> None:
        super().__init__(
            f"No backfill {run} is known, and no event of it came within {seconds:.0f} s. Look with "
            "`llamalog backfill list`; if it was just requested, see whether a migration consumer (`llamalog "
            "migration-consumer`) runs."
        )


async def follow_run(
    events: RunEvents, reader: Reader, run: UUID, show: Callable[[BackfillState], None], *, timeout: float
) -> BackfillEndedData | BackfillRun:
    """Show the events of a run, from its oldest retained one, until the run has ended.

    The end is an event too; where that is missing (expired, or not published yet), the run's row.

    Args:
        show: called with every event's data in order, the end included.
        timeout: seconds to wait for a run that is not known yet.

    Returns:
        The end of the run.

    Raises:
        UnknownRunError: after `timeout`.
        UnavailableError: PostgreSQL is away.
    """
    clock = asyncio.get_running_loop().time
    began, silent_polls = clock(), 0
    while True:
        received = await events.next(within=_POLL_SECONDS)
        for event in received:
            show(event.data)
            if isinstance(event, BackfillEnded):
                return event.data
        if not events.is_silent:
            continue
        row = await read_backfill(reader, run)
        if row is not None and row.has_ended:
            silent_polls += 1
            if silent_polls >= _MAX_SILENT_POLLS:
                show(row)
                return row
        if row is None and not events.any_seen and clock() - began > timeout:
            raise UnknownRunError(run, timeout)
