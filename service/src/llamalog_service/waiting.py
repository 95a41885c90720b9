"""Waiting for PostgreSQL and Kafka: with back-off, and with one line in the log a change of state."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from llamalog_service.domain.errors import UnavailableError

Result = TypeVar("Result")

_log = structlog.get_logger("llamalog.waiting")
stamina.instrumentation.set_on_retry_hooks([])  # we tell of a change of state, not of every try


async def when_available(
    action: Callable[[], Awaitable[Result]], *, doing: str, patience: float | None = None
) -> Result:
    """The result of an action that may be repeated, tried until nothing it needs is away.

    Args:
        action: called anew for every try.
        doing: what it does, for the log.
        patience: seconds after which the last UnavailableError is raised; None waits for ever.

    Raises:
        UnavailableError: after `patience`.
    """
    waited = False
    async for attempt in stamina.retry_context(
        on=UnavailableError, attempts=None, timeout=patience, wait_initial=0.1, wait_max=5.0, wait_jitter=0.5
    ):
        with attempt:
            try:
                result = await action()
            except UnavailableError as away:
                if not waited:
                    _log.warning("waiting", doing=doing, reason=str(away))
                waited = True
                raise
            if waited:
                _log.info("going on", doing=doing)
            return result
    raise AssertionError("stamina ends its loop by a result or an error")
