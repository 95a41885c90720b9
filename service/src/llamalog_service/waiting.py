"""Waiting for PostgreSQL and Kafka: with back-off, and with one line in the log a change of state."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from llamalog_service.domain.errors import UnavailableError

Result = TypeVar("Result")

_SILENCE = 3.0
"""Seconds without an answer that count as waiting: an idempotent producer, say, never gives up by itself."""

_log = structlog.get_logger("llamalog.waiting")
stamina.instrumentation.set_on_retry_hooks([])  # we tell of a change of state, not of every try


async def when_available(
    action: Callable[[], Awaitable[Result]],
    *,
    doing: str,
    patience: float | None = None,
    may_take_long: bool = False,
) -> Result:
    """The result of an action that may be repeated, tried until nothing it needs is away.

    Args:
        action: called anew for every try.
        doing: what it does, for the log.
        may_take_long: no answer for a while is no sign that something is away.
        patience: seconds after which the last UnavailableError is raised; None waits for ever.

    Raises:
        UnavailableError: after `patience`.
    """
    waiting = _Waiting(doing)
    async for attempt in stamina.retry_context(
        on=UnavailableError, attempts=None, timeout=patience, wait_initial=0.1, wait_max=5.0, wait_jitter=0.5
    ):
        with attempt:
            unanswered = asyncio.get_running_loop().call_later(
                _SILENCE, waiting.begin, f"no answer for {_SILENCE:.0f} s"
            )
            if may_take_long:
                unanswered.cancel()
            try:
                result = await action()
            except UnavailableError as away:
                waiting.begin(str(away))
                raise
            finally:
                unanswered.cancel()
            waiting.end()
            return result
    raise AssertionError("stamina ends its loop by a result or an error")


class _Waiting:
    """Tells that something is waited for, once, and that it came."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._is_told = False

    def begin(self, reason: str) -> None:
        if not self._is_told:
            _log.warning("waiting", doing=self._doing, reason=reason)
        self._is_told = True

    def end(self) -> None:
        if self._is_told:
            _log.info("going on", doing=self._doing)
