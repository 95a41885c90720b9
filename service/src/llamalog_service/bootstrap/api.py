"""The API's process: composed from settings, served until a signal ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from fastapi import FastAPI

from llamalog_service.backfill.retractions import retract_event
from llamalog_service.backfill.root_overrides import override_root
from llamalog_service.bootstrap import open_fit_publisher
from llamalog_service.bootstrap.backfills import request_backfill, request_run_action
from llamalog_service.bootstrap.dead_letters import correct_dead_letter
from llamalog_service.bootstrap.erasures import erase_user
from llamalog_service.dead_letters.correction import Correction, Document
from llamalog_service.dead_letters.listing import DeadLetterViews
from llamalog_service.domain.erasures import Erasures
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.http import create_app
from llamalog_service.http.backfill_service import SOURCE, BackfillService
from llamalog_service.http.background import supervise
from llamalog_service.http.context import CorrectDeadLetter, Services
from llamalog_service.http.health import HealthMonitor
from llamalog_service.http.readiness import ReadinessProbe
from llamalog_service.http.server import serve
from llamalog_service.http.streams import Streams
from llamalog_service.http.tokens import read_access
from llamalog_service.http_connections import ConnectionLimits, listen
from llamalog_service.kafka.clients import require_login
from llamalog_service.kafka.dead_letters import DeadLetterPosition, DeadLetterReader, ReadErasures
from llamalog_service.kafka.following import open_provenance_follower
from llamalog_service.kafka.reader import read_lag
from llamalog_service.kafka.topics import topics_of
from llamalog_service.live_feed.feed import FeedState, LiveFeed, run_live_feed
from llamalog_service.log.erasures import erasures_of
from llamalog_service.postgres.database_checks import require_fit_database
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.settings import Settings, setting_name
from llamalog_service.telemetry.probes import probes
from llamalog_service.telemetry.prometheus import PrometheusMetrics

_CONNECTIONS: Final = 8
_STATEMENT_SECONDS: Final = 8.0
_ANSWER_SECONDS: Final = 10.0
"""A statement, the wait for a connection included."""
_KAFKA_TIMEOUT_SECONDS: Final = 5.0
"""For Kafka, within a request."""
_START_SECONDS: Final = 2.0
"""For PostgreSQL, then for Kafka, before requests are taken."""


async def run_api(settings: Settings) -> None:
    """Serve the API and its pages until a signal; also while PostgreSQL is away, which its readiness shows.

    Raises:
        LlamalogError: the tokens are invalid, the address is taken, the database is unfit, or Kafka refuses
            the login.
    """
    with suppress(UnavailableError):
        await require_fit_database(settings, writes=False, timeout=_START_SECONDS)
    with suppress(UnavailableError):
        await require_login(settings, timeout=_START_SECONDS)
    async with open_app(settings) as app:
        listener = listen(settings.api_host, settings.api_port, setting_name("api_port"))
        try:
            await serve(app, listener, connection_limits(settings))
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

        async def erasures() -> Erasures:
            return erasures_of(await reader.rows("erasures"))

        services = _services(settings, reader, erasures)
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
                    partial(run_live_feed, partial(open_provenance_follower, settings), feed),
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


def _services(settings: Settings, reader: Reader, erasures: ReadErasures) -> Services:
    names = topics_of(settings)
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
        dead_letters=DeadLetterViews(DeadLetterReader(settings, erasures)),
        override_root=partial(
            override_root,
            reader,
            partial(open_fit_publisher, settings, SOURCE, timeout=_KAFKA_TIMEOUT_SECONDS),
            source=SOURCE,
            timeout=_KAFKA_TIMEOUT_SECONDS,
        ),
        retract_event=partial(
            retract_event,
            reader,
            partial(open_fit_publisher, settings, SOURCE, timeout=_KAFKA_TIMEOUT_SECONDS),
            source=SOURCE,
            timeout=_KAFKA_TIMEOUT_SECONDS,
        ),
        correct_dead_letter=_correct_dead_letter(settings, reader),
        erase_user=partial(erase_user, settings, reader, source=SOURCE, timeout=_KAFKA_TIMEOUT_SECONDS),
        health=HealthMonitor(
            reader,
            groups={
                names.entity_events.name: settings.consumer_group,
                names.overrides.name: settings.consumer_group,
                names.backfill_commands.name: settings.migration_group,
            },
            read_lag=partial(read_lag, settings),
            metrics_urls=settings.consumers_metrics_urls(),
        ),
        feed=LiveFeed(),
    )


def _correct_dead_letter(settings: Settings, reader: Reader) -> CorrectDeadLetter:
    async def correct(
        partition: int, offset: int, event: Document, *, reason: str | None, requested_by: str
    ) -> Correction:
        return await correct_dead_letter(
            settings,
            reader,
            DeadLetterPosition(partition, offset),
            lambda _: event,
            source=SOURCE,
            reason=reason,
            requested_by=requested_by,
            dry_run=False,
            timeout=_KAFKA_TIMEOUT_SECONDS,
        )

    return correct


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of the API's connections."""
    return ConnectionLimits(
        connections=settings.api_connections,
        request_seconds=settings.api_request_seconds,
        idle_seconds=settings.api_idle_seconds,
    )
