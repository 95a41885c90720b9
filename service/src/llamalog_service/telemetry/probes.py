"""Probes of the servers that a process depends on, and the heartbeat of its event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from llamalog_service.domain.errors import UnavailableError

_log = structlog.get_logger("llamalog.monitor")

_HEARTBEAT_SECONDS = 0.5
_ANSWER_SECONDS = 5.0

Check = Callable[[], Awaitable[object]]
"""Raises UnavailableError, or takes longer than some seconds, where a server is away."""


async def keep_heartbeat(heartbeat: Callable[[], None]) -> None:
    """Report that the event loop turns, until cancelled."""
    while True:
        heartbeat()
        await asyncio.sleep(_HEARTBEAT_SECONDS)


async def keep_probing(
    checks: Mapping[str, Check],
    report: Callable[[tuple[str, ...]], None],
    *,
    measure: Check,
    pause: float,
) -> None:
    """Check servers again and again, until cancelled.

    Args:
        checks: one for each server, by its name.
        report: gets the names of those that are away, after each round.
        measure: takes further measurements after each report; its failure is no outage.
        pause: seconds between two rounds.
    """
    while True:
        away = tuple([name for name, check in checks.items() if not await _answers(check)])
        report(away)
        if not await _answers(measure):
            _log.debug("not measured")
        await asyncio.sleep(pause)


async def _answers(check: Check) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await check()
    except (UnavailableError, TimeoutError):
        return False
    except Exception as defect:  # a defect must not end the probing, and is no answer
        _log.warning("a probe has failed", error=repr(defect))
        return False
    return True
