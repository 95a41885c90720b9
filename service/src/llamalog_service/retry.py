"""Retries while PostgreSQL or Kafka is away: with back-off, and one log line for each change of state."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from llamalog_service.domain.errors import StoppedAgainError, TookTooLongError, UnavailableError

Result = TypeVar("Result")


class Retries:
    """The retries of this process, by which the monitor distinguishes waiting from a stall.

    Attributes:
        failures: attempts that ended because something was away; a stuck attempt never ends.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._doing: list[str] = []

    def doing(self) -> tuple[str, ...]:
        """The actions that are being retried at the moment."""
        return tuple(self._doing)

    def begin(self, doing: str) -> None:
        """Note that an action is being retried."""
        self._doing.append(doing)

    def end(self, doing: str) -> None:
        """Note that an action has succeeded, or is retried no more."""
        self._doing.remove(doing)


RETRIES = Retries()
"""Those of this process: all waiting is done in `retry_until_available`."""

_UNANSWERED_SECONDS = 3.0
"""Seconds without an answer that count as waiting: an idempotent producer retries for ever by itself."""

_MAX_STOPPED = 3
"""Attempts in a row that PostgreSQL stops, after which there is no further one."""

_log = structlog.get_logger("llamalog.waiting")
stamina.instrumentation.set_on_retry_hooks([])  # a change of state is logged, not every attempt


async def retry_until_available(
    action: Callable[[], Awaitable[Result]],
    *,
    doing: str,
    timeout: float | None = None,
    may_take_long: bool = False,
) -> Result:
    """The result of an idempotent action, retried while PostgreSQL or Kafka is away.

    Args:
        action: called anew for every attempt.
        doing: names the action in the log.
        timeout: seconds after which the last UnavailableError is raised; None retries for ever.
        may_take_long: an attempt without an answer for some seconds is not logged as waiting.

    A cancellation ends it, also where the action turns that into an UnavailableError: a connection that
    breaks while it is closed.

    Raises:
        UnavailableError: after `timeout`.
        StoppedAgainError: PostgreSQL has stopped three attempts in a row.
    """
    waiting = _Waiting(doing)
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task is not None else 0
    stopped = 0
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
                    _UNANSWERED_SECONDS, waiting.begin, f"no answer for {_UNANSWERED_SECONDS:.0f} s"
                )
                if may_take_long:
                    unanswered.cancel()
                try:
                    result = await action()
                except UnavailableError as away:
                    if task is not None and task.cancelling() > cancelled_before:
                        raise asyncio.CancelledError from away
                    RETRIES.failures += 1
                    waiting.begin(str(away))
                    stopped = stopped + 1 if isinstance(away, TookTooLongError) else 0
                    if stopped == _MAX_STOPPED:
                        raise StoppedAgainError(
                            f"PostgreSQL has stopped the same statement {stopped} times in a row, when "
                            f"{doing}: {away}. Nothing of it was written. Look for a time limit "
                            "(statement_timeout, transaction_timeout) set within the database, or a program "
                            "that cancels queries; then start again."
                        ) from away
                    raise
                finally:
                    unanswered.cancel()
                waiting.log_recovery()
                return result
    finally:
        waiting.end()
    raise AssertionError("stamina ends its loop by a result or an error")


class _Waiting:
    """Logs that an action is being retried, once, and that it has succeeded."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._is_logged = False

    def begin(self, reason: str) -> None:
        if not self._is_logged:
            _log.warning("waiting", doing=self._doing, reason=reason)
            RETRIES.begin(self._doing)
        self._is_logged = True

    def log_recovery(self) -> None:
        if self._is_logged:
            _log.info("recovered", doing=self._doing)

    def end(self) -> None:
        if self._is_logged:
            RETRIES.end(self._doing)
