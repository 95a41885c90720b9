"""Tasks beside the answers: one that ends by an error that nothing foresaw is started again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

_log = structlog.get_logger("llamalog.api")

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_WELL_AFTER: Final = 60.0
"""Seconds after which a task that fails anew is not waited for longer than at first."""


async def supervise(
    task: Callable[[], Awaitable[None]],
    *,
    doing: str,
    failed: Callable[[], None],
    first_wait: float = _FIRST_WAIT,
) -> None:
    """Run a task that has no end, until cancelled; after an error again, ever later.

    Args:
        task: called anew for every run.
        doing: what it does, for the log.
        failed: told at once that it does not run, so that nobody is told what it knew before.
        first_wait: seconds until the second run.
    """
    clock = asyncio.get_running_loop().time
    wait = first_wait
    while True:
        began = clock()
        try:
            await task()
        except Exception as error:
            if clock() - began > _WELL_AFTER:
                wait = first_wait
            failed()
            _log.exception("a task failed", doing=doing, reason=str(error), again_in_seconds=wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
