"""A backfill as server-sent events: its row, looked at twice a second while somebody listens.

The row has the last word on a run, and its progress is written in the transaction that makes it; so nothing
is told that did not happen, and Kafka may be away.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

from sse_starlette import ServerSentEvent

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.http.backfill_service import read_run
from llamalog_service.http.context import Context
from llamalog_service.http.streams import event
from llamalog_service.queries.backfills import BackfillRun

_LOOK_SECONDS: Final = 0.5


async def backfill_events(context: Context, run: UUID) -> AsyncGenerator[ServerSentEvent, None]:
    """What changes of a run, until it has ended."""
    told: BackfillRun | None = None
    is_waiting = False
    while True:
        try:
            standing = await read_run(context, run)
        except UnavailableError:
            standing = None
        if standing is None:
            if not is_waiting:
                yield event("waiting", {})
            is_waiting = True
        elif standing.has_ended:
            yield event("ended", standing)
            return
        elif standing != told or is_waiting:
            told, is_waiting = standing, False
            yield event("progress", standing)
        await asyncio.sleep(_LOOK_SECONDS)
