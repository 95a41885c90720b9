"""The log over HTTP: built from settings, served until told to stop."""

import asyncio
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI
from uvicorn import Config, Server

from llamalog_service.bootstrap.access import read_access
from llamalog_service.bootstrap.health import HealthWatch
from llamalog_service.bootstrap.operations import InstalledOperations
from llamalog_service.bootstrap.supervisor import supervise
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.http import create_app
from llamalog_service.live_feed.feeder import feed_live
from llamalog_service.live_feed.ring import Feed, FeedState
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.settings import Settings, setting_name
from llamalog_service.telemetry.liveness import Health
from llamalog_service.telemetry.prometheus import PrometheusMetrics
from llamalog_service.telemetry.server import listen, probes

_log = structlog.get_logger("llamalog.api")

_CONNECTIONS: Final = 8
_STATEMENT_SECONDS: Final = 8.0
_ANSWER_SECONDS: Final = 10.0
"""A statement, the wait for a connection included."""
_LOOK_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def run_api(settings: Settings) -> None:
    """Serve the API and its pages until told to stop.

    Raises:
        LlamalogError: the tokens are not as they have to be, or the address is taken.
    """
    async with open_app(settings) as app:
        listener = listen(settings.api_host, settings.api_port, setting_name("api_port"))
        try:
            await serve(app, listener)
        finally:
            listener.close()


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The app with all that it needs; PostgreSQL and Kafka are asked at first use.

    Raises:
        LlamalogError: the tokens are not as they have to be.
    """
    access = read_access(settings)
    metrics = PrometheusMetrics()
    metrics.live.set(1)
    async with open_pool(
        settings, name="llamalog api", only_reads=True, most=_CONNECTIONS, answer_within=_STATEMENT_SECONDS
    ) as pool:
        reader = Reader(pool, answer_within=_ANSWER_SECONDS)
        readiness, health, feed = _Readiness(reader, metrics), HealthWatch(settings, reader), Feed()
        beside = [
            asyncio.create_task(
                supervise(readiness.keep_looking, doing="looking for PostgreSQL", failed=readiness.forget)
            ),
            asyncio.create_task(
                supervise(health.keep_sampling, doing="asking for metrics", failed=health.forget_samples)
            ),
            asyncio.create_task(
                supervise(
                    partial(feed_live, settings, feed),
                    doing="feeding whoever listens",
                    failed=partial(feed.begin_anew, FeedState.FAILED),
                )
            ),
        ]
        try:
            yield create_app(
                reader,
                InstalledOperations(settings, feed, health),
                access=access,
                metrics=metrics,
                probes=probes(readiness.health, metrics.registry),
            )
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer on a socket that listens, until a signal."""
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _log.info("serving", address=address, pages=f"{address}/ui")
    await make_server(app).serve(sockets=[listener])


def make_server(app: FastAPI) -> Server:
    """A server that logs nothing by itself; outside the main thread it leaves signals alone."""
    return _Server(
        Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )


class _Server(Server):
    """A server that ends in good order.

    Streams go before it waits for the answers under way: they would never end by themselves.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Heed signals as the two consumers do: uvicorn would let the signal itself end the process."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer no more."""
        app: FastAPI = self.config.app  # type: ignore[assignment]
        app.state.context.streams.close()
        await super().shutdown(sockets)


class _Readiness:
    """Looks every few seconds whether PostgreSQL answers: without it nothing can be read."""

    def __init__(self, reader: Reader, metrics: PrometheusMetrics) -> None:
        self._reader = reader
        self._metrics = metrics
        self._unready: tuple[str, ...] = ("PostgreSQL was not asked yet",)

    def health(self) -> Health:
        """As it was seen last; a process that cannot get on does not answer at all."""
        return Health((), self._unready, None)

    def forget(self) -> None:
        """Count as unready: nobody looks."""
        self._unready = ("looking whether PostgreSQL answers has failed; the log says why",)
        self._metrics.ready.set(0)

    async def keep_looking(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._reader.value("ping")
                self._unready = ()
            except (UnavailableError, TimeoutError):
                self._unready = ("PostgreSQL does not answer",)
            self._metrics.ready.set(not self._unready)
            await asyncio.sleep(_LOOK_SECONDS)
