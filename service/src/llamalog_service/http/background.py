"""Background tasks of the API's process: restarted after an unforeseen error."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

_log = structlog.get_logger("llamalog.api")

_FIRST_RESTART_SECONDS: Final = 1.0
_MAX_RESTART_SECONDS: Final = 30.0
_STABLE_SECONDS: Final = 60.0
"""A task that ran so long is restarted as soon as after its first failure."""


async def supervise(
    task: Callable[[], Awaitable[None]],
    *,
    doing: str,
    failed: Callable[[], None],
    first_wait: float = _FIRST_RESTART_SECONDS,
) -> None:
    """Run a task that has no end, until cancelled; restart it after an unexpected error, with backoff.

    Args:
        task: called anew for every run.
        doing: the task in words, for the log.
        failed: called at once after an error, so that no result of the failed run is shown any longer.
        first_wait: seconds until the second run.
    """
    clock = asyncio.get_running_loop().time
    wait = first_wait
    while True:
        began = clock()
        try:
            await task()
        except Exception as error:
            if clock() - began > _STABLE_SECONDS:
                wait = first_wait
            failed()
            _log.exception("a task failed", doing=doing, reason=str(error), again_in_seconds=wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _MAX_RESTART_SECONDS)
