"""Waiting for PostgreSQL and Kafka: with back-off, and with one line in the log a change of state."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from llamalog_service.domain.errors import UnavailableError

Result = TypeVar("Result")


class Retries:
    """What this process waits for, for whoever has to tell waiting from being stuck.

    Attributes:
        failures: how often a try has ended because something was away; a stuck one never ends.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._doing: list[str] = []

    def doing(self) -> tuple[str, ...]:
        """What cannot be done at the moment."""
        return tuple(self._doing)

    def begin(self, doing: str) -> None:
        """Something is waited for from now on."""
        self._doing.append(doing)

    def end(self, doing: str) -> None:
        """It came, or is given up."""
        self._doing.remove(doing)


RETRIES = Retries()
"""Those of this process: whatever waits, waits in `retry_until_available`."""

_SILENCE = 3.0
"""Seconds without an answer that count as waiting: an idempotent producer, say, never gives up by itself."""

_log = structlog.get_logger("llamalog.waiting")
stamina.instrumentation.set_on_retry_hooks([])  # we tell of a change of state, not of every try


async def retry_until_available(
    action: Callable[[], Awaitable[Result]],
    *,
    doing: str,
    timeout: float | None = None,
    may_take_long: bool = False,
) -> Result:
    """The result of an action that may be repeated, tried until nothing it needs is away.

    Args:
        action: called anew for every try.
        doing: what it does, for the log.
        may_take_long: no answer for a while is no sign that something is away.
        timeout: seconds after which the last UnavailableError is raised; None waits for ever.

    Raises:
        UnavailableError: after `timeout`.
    """
    waiting = _Waiting(doing)
    try:
        async for attempt in stamina.retry_context(
            on=UnavailableError,
            attempts=None,
            timeout=timeout,
            wait_initial=0.1,
            wait_max=5.0,
            wait_jitter=0.5,
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
                    RETRIES.failures += 1
                    waiting.begin(str(away))
                    raise
                finally:
                    unanswered.cancel()
                waiting.tell_end()
                return result
    finally:
        waiting.end()
    raise AssertionError("stamina ends its loop by a result or an error")


class _Waiting:
    """Tells that something is waited for, once, and that it came."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._is_told = False

    def begin(self, reason: str) -> None:
        if not self._is_told:
            _log.warning("waiting", doing=self._doing, reason=reason)
            RETRIES.begin(self._doing)
        self._is_told = True

    def tell_end(self) -> None:
        if self._is_told:
            _log.info("going on", doing=self._doing)

    def end(self) -> None:
        if self._is_told:
            RETRIES.end(self._doing)
