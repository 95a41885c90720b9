"""The API's process: composed from settings, served until a signal ends it."""

import asyncio
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI
from uvicorn import Server

from llamalog_service.backfill.root_overrides import override_root
from llamalog_service.bootstrap.backfills import request_backfill, request_run_action
from llamalog_service.dead_letters.listing import DeadLetterViews
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.http import create_app
from llamalog_service.http.backfill_service import SOURCE, BackfillService
from llamalog_service.http.context import Services
from llamalog_service.http.health import HealthMonitor, ReadinessProbe, TopicLag
from llamalog_service.http.streams import Streams
from llamalog_service.http.tokens import read_access
from llamalog_service.http_connections import BoundedConfig, ConnectionLimits
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.reader import read_lag
from llamalog_service.kafka.topics import topics
from llamalog_service.live_feed.feed import FeedState, LiveFeed, run_live_feed
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.settings import Settings, setting_name
from llamalog_service.telemetry.probes import listen, probes
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_log = structlog.get_logger("llamalog.api")

_CONNECTIONS: Final = 8
_STATEMENT_SECONDS: Final = 8.0
_ANSWER_SECONDS: Final = 10.0
"""A statement, the wait for a connection included."""
_KAFKA_TIMEOUT_SECONDS: Final = 5.0
"""For Kafka, within a request."""
_START_SECONDS: Final = 2.0
"""For PostgreSQL, before requests are taken."""
_GRACE_SECONDS: Final = 5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_FIRST_RESTART_SECONDS: Final = 1.0
_MAX_RESTART_SECONDS: Final = 30.0
_STABLE_SECONDS: Final = 60.0
"""A task that ran so long is restarted as soon as after its first failure."""


async def run_api(settings: Settings) -> None:
    """Serve the API and its pages until a signal; also while PostgreSQL is away, which its readiness shows.

    Raises:
        LlamalogError: the tokens are invalid, the address is taken, or the database is unfit.
    """
    with suppress(UnavailableError):
        await require_fit_database(settings, writes=False, timeout=_START_SECONDS)
    async with open_app(settings) as app:
        listener = listen(settings.api_host, settings.api_port, setting_name("api_port"))
        try:
            await serve(app, listener, settings)
        finally:
            listener.close()


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The app with its pool and its background tasks; connects to PostgreSQL and Kafka at first use.

    Raises:
        LlamalogError: the tokens are invalid.
    """
    access = read_access(settings)
    metrics = PrometheusMetrics()
    metrics.live.set(1)
    async with open_pool(
        settings, name="llamalog api", only_reads=True, most=_CONNECTIONS, answer_within=_STATEMENT_SECONDS
    ) as pool:
        reader = Reader(pool, answer_within=_ANSWER_SECONDS)
        services = _services(settings, reader)
        health, feed = services.health, services.feed
        readiness = ReadinessProbe(reader, metrics)
        background = [
            asyncio.create_task(
                supervise(readiness.keep_pinging, doing="pinging PostgreSQL", failed=readiness.forget)
            ),
            asyncio.create_task(
                supervise(health.keep_sampling, doing="sampling metrics", failed=health.forget_samples)
            ),
            asyncio.create_task(
                supervise(
                    partial(run_live_feed, settings, feed),
                    doing="reading the live feed",
                    failed=partial(feed.reset, FeedState.FAILED),
                )
            ),
        ]
        try:
            yield create_app(
                reader,
                services,
                access=access,
                streams=Streams(
                    limit=settings.api_streams,
                    per_client=settings.api_streams_per_client,
                ),
                metrics=metrics,
                probes=probes(readiness.health, metrics.registry),
            )
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)


def _services(settings: Settings, reader: Reader) -> Services:
    return Services(
        backfills=BackfillService(
            reader,
            publish_backfill=partial(
                request_backfill, settings, source=SOURCE, timeout=_KAFKA_TIMEOUT_SECONDS
            ),
            publish_run_request=partial(
                request_run_action, settings, source=SOURCE, timeout=_KAFKA_TIMEOUT_SECONDS
            ),
        ),
        dead_letters=DeadLetterViews(settings),
        override_root=partial(override_root, settings, source=SOURCE, timeout=_KAFKA_TIMEOUT_SECONDS),
        health=HealthMonitor(
            reader,
            read_lag=partial(_read_lags, settings),
            metrics_urls=_metrics_urls(settings),
        ),
        feed=LiveFeed(),
    )


async def _read_lags(settings: Settings) -> tuple[TopicLag, ...]:
    names = topics(settings.topic_prefix)
    consumers = (
        (settings.consumer_group, names.entity_events.name),
        (settings.migration_group, names.backfill_commands.name),
    )
    async with open_admin(settings) as admin:
        return tuple(
            [
                TopicLag(topic=topic, group=group, records=await read_lag(settings, admin, group, topic))
                for group, topic in consumers
            ]
        )


def _metrics_urls(settings: Settings) -> tuple[str, ...]:
    if settings.api_metrics_urls:
        return tuple(url.strip() for url in settings.api_metrics_urls.split(",") if url.strip())
    ports = (settings.consumer_port, settings.migration_consumer_port)
    return tuple(f"http://{settings.monitoring_host}:{port}/metrics" for port in ports if port)


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


async def serve(app: FastAPI, listener: socket.socket, settings: Settings) -> None:
    """Serve an app on a listening socket, until a signal."""
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _log.info("serving", address=address, pages=f"{address}/ui")
    await make_server(app, settings).serve(sockets=[listener])


def make_server(app: FastAPI, settings: Settings) -> Server:
    """A server without logs of its own; outside the main thread it handles no signals."""
    limits = ConnectionLimits(
        connections=min(settings.api_connections, _open_files() // 2),
        request_seconds=settings.api_request_seconds,
        idle_seconds=settings.api_idle_seconds,
    )
    return _Server(BoundedConfig(app, limits, log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS))


def _open_files() -> int:
    """The number of files and sockets that this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


class _Server(Server):
    """A server that closes streams before it waits for open responses: they would never end by themselves."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals as the two consumers do: uvicorn would raise them again at its end."""
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
        """Close the streams, then the server."""
        app: FastAPI = self.config.app  # type: ignore[assignment]
        app.state.context.streams.close()
        await super().shutdown(sockets)
