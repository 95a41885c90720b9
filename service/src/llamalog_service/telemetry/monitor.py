"""The thread that watches the process, answers for it, and ends it when it has stalled.

It has an event loop of its own, so that it answers and acts also when the process's loop does not turn.
What it cannot see is a process that the kernel has stopped or that never gives up Python's lock: for that,
somebody outside has to ask `/livez` and take no answer for one.
"""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable

import structlog

from llamalog_service.domain.errors import ExitCode
from llamalog_service.telemetry.liveness import Seen, StallLimits, begin, judge, look
from llamalog_service.telemetry.prometheus import PrometheusMetrics
from llamalog_service.telemetry.server import application, server

_log = structlog.get_logger("llamalog.monitor")

_LOOK_SECONDS = 0.5
_SAYING_SECONDS = 2.0
_CLOSE_SECONDS = 5.0


class Monitor:
    """Watches one process from a thread of its own.

    Args:
        seen: shows the process at this moment; may be called from any thread.
        metrics: served, and told the health.
        listener: a socket that listens; closed in the end.
        loop: the process's own, whose tasks are shown when it has stalled.
        end: ends the process at once, whatever it is doing.
    """

    def __init__(
        self,
        seen: Callable[[], Seen],
        *,
        metrics: PrometheusMetrics,
        limits: StallLimits,
        listener: socket.socket,
        loop: asyncio.AbstractEventLoop,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._seen = seen
        self._metrics = metrics
        self._limits = limits
        self._listener = listener
        self._watched = loop
        self._end = end
        self._server = server(application(lambda: self._health, metrics.registry))
        self._now = 0.0
        self._since = begin(seen(), self._now)
        self._health = judge(self._since, self._now, limits)
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Begin to watch and to answer."""
        self._thread.start()
        host, port = self._listener.getsockname()[:2]
        _log.info("serving", address=f"http://{host}:{port}", paths=["/livez", "/readyz", "/metrics"])

    def stop(self) -> None:
        """Answer no more."""
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
            # nobody's stall.
            self._now += min(now - last, 2 * _LOOK_SECONDS)
            last = now
            self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        self._since = look(self._since, self._seen(), self._now)
        before, self._health = self._health, judge(self._since, self._now, self._limits)
        self._metrics.live.set(not self._health.stalled)
        self._metrics.ready.set(not self._health.unready)
        if self._health.stalled and not before.stalled and self._since.seen.failed is None:
            self._say(self._tell_stall)
        if self._health.ends_with is not None:
            code = self._health.ends_with
            self._say(lambda: _log.critical("ending", code=int(code), reasons=self._health.stalled))
            self._end(code)

    def _say(self, saying: Callable[[], None]) -> None:
        """Say something, unless the log is what everything is stuck at."""
        speaker = threading.Thread(target=saying, daemon=True)
        speaker.start()
        speaker.join(_SAYING_SECONDS)

    def _tell_stall(self) -> None:
        _log.error(
            "stalled",
            reasons=self._health.stalled,
            ends_in_seconds=self._limits.last_words,
            code=int(ExitCode.STALLED),
        )
        for task in asyncio.all_tasks(self._watched):
            task.print_stack(limit=8, file=sys.stderr)
