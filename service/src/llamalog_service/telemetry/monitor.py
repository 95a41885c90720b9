"""A thread that watches the process, serves its health and metrics, and ends it when it has stalled.

It has an event loop of its own, so that it answers and acts also when the process's loop is blocked. It
cannot detect a process that the kernel has stopped or that never releases the GIL: a probe from outside has
to treat a missing answer of `/livez` as a failure.
"""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from llamalog_service.domain.errors import ExitCode, UnavailableError
from llamalog_service.telemetry.liveness import Snapshot, StallLimits, advance, assess, begin
from llamalog_service.telemetry.probes import application, server
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_log = structlog.get_logger("llamalog.monitor")

_CHECK_SECONDS = 0.5
_LOGGING_SECONDS = 2.0
_CLOSE_SECONDS = 5.0
_HEARTBEAT_SECONDS = 0.5
_ANSWER_SECONDS = 5.0

Check = Callable[[], Awaitable[object]]
"""Raises UnavailableError, or takes longer than some seconds, where a server is away."""


class Monitor:
    """Watches one process from a thread of its own.

    Args:
        snapshot: returns the present state of the process; called from the monitor's thread.
        metrics: served under `/metrics`; its gauges `live` and `ready` are set here.
        limits: when the process counts as stalled.
        listener: a listening socket; closed by `stop`.
        loop: the event loop of the process, whose tasks are printed when it has stalled.
        end: exits the process at once.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        *,
        metrics: PrometheusMetrics,
        limits: StallLimits,
        listener: socket.socket,
        loop: asyncio.AbstractEventLoop,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._snapshot = snapshot
        self._metrics = metrics
        self._limits = limits
        self._listener = listener
        self._watched = loop
        self._end = end
        self._server = server(application(lambda: self._health, metrics.registry))
        self._now = 0.0
        self._changes = begin(snapshot(), self._now)
        self._health = assess(self._changes, self._now, limits)
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Start watching and serving."""
        self._thread.start()
        host, port = self._listener.getsockname()[:2]
        _log.info("serving", address=f"http://{host}:{port}", paths=["/livez", "/readyz", "/metrics"])

    def stop(self) -> None:
        """Stop serving, and close the listener."""
        self._server.should_exit = True
        self._thread.join(_CLOSE_SECONDS)
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        watching = asyncio.create_task(self._watch())
        await self._server.serve(sockets=[self._listener])
        watching.cancel()

    async def _watch(self) -> None:
        last = time.monotonic()
        while True:
            now = time.monotonic()
            # Time in which this thread did not run either (the process was stopped, the machine slept) is
            # no stall.
            self._now += min(now - last, 2 * _CHECK_SECONDS)
            last = now
            self._check()
            await asyncio.sleep(_CHECK_SECONDS)

    def _check(self) -> None:
        self._changes = advance(self._changes, self._snapshot(), self._now)
        before, self._health = self._health, assess(self._changes, self._now, self._limits)
        self._metrics.live.set(not self._health.stalled)
        self._metrics.ready.set(not self._health.unready)
        if self._health.stalled and not before.stalled and self._changes.latest.failed is None:
            self._log_safely(self._log_stall)
        if self._health.ends_with is not None:
            code = self._health.ends_with
            self._log_safely(lambda: _log.critical("ending", code=int(code), reasons=self._health.stalled))
            self._end(code)

    def _log_safely(self, log: Callable[[], None]) -> None:
        """Log in a thread of its own: the log may be what the process is blocked at."""
        logging = threading.Thread(target=log, daemon=True)
        logging.start()
        logging.join(_LOGGING_SECONDS)

    def _log_stall(self) -> None:
        _log.error(
            "stalled",
            reasons=self._health.stalled,
            ends_in_seconds=self._limits.grace,
            code=int(ExitCode.STALLED),
        )
        for task in asyncio.all_tasks(self._watched):
            task.print_stack(limit=8, file=sys.stderr)


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
