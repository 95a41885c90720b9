"""The pause between a comparison and its report, in which live traffic corrects what it is about to."""

import asyncio
import time

from llamalog_service.postgres.locks import RebuildLock
from llamalog_service.rebuild.comparison import ComparisonStore
from llamalog_service.rebuild.reading import Progress, Watch

_LOOK_SECONDS = 0.5
_LONGEST_SETTLING = 6
"""So many times as long is waited for roots to settle while repairs are under way."""


async def let_settle(comparisons: ComparisonStore, lock: RebuildLock, seconds: float, watch: Watch) -> None:
    """Give live traffic the time to correct what its last events have changed.

    Raises:
        RebuildLockLostError: another rebuild may have begun.
    """
    began = time.monotonic()
    while True:
        lock.check()
        settling = await comparisons.settling()
        waited = time.monotonic() - began
        longest = seconds * _LONGEST_SETTLING if settling.repairing else seconds
        if not settling.left or waited >= longest:
            return
        watch(Progress("waiting for roots that live traffic is about to correct"))
        await asyncio.sleep(min(_LOOK_SECONDS, longest - waited))
