"""The two consumers: built from settings, run until a signal stops them."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial

import structlog
from faststream import FastStream
from faststream.kafka import KafkaBroker

from llamalog_service import kernels
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.migration_consumer import migration_delivery
from llamalog_service.backfill.recomputes import RecomputeQueue
from llamalog_service.backfill.worker import (
    POLL_SECONDS,
    Worker,
    history_task,
    publish_tasks,
    recompute_tasks,
    sweep_task,
)
from llamalog_service.bootstrap import require_fit_servers, tune_garbage_collector
from llamalog_service.bootstrap.monitoring import open_monitoring
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.clients import METADATA_MILLISECONDS
from llamalog_service.kafka.consumer.broker import RetryingBroker, security_of
from llamalog_service.kafka.consumer.delivery import BatchDelivery, subscribe
from llamalog_service.kafka.consumer.monitoring import Monitored
from llamalog_service.kafka.consumer.pipeline import Steps
from llamalog_service.kafka.consumer.positions import StartOffsets
from llamalog_service.kafka.consumer.signals import LagProbe
from llamalog_service.kafka.publisher import open_publisher
from llamalog_service.kafka.topics import topics_of
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.topic_moves import require_recorded_topic
from llamalog_service.postgres.locks import WorkerLock
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.counts import read_depths, read_table_stats
from llamalog_service.settings import Settings
from llamalog_service.telemetry.monitor import Check
from llamalog_service.telemetry.prometheus import PrometheusMetrics, TableGauges

Fail = Callable[[BaseException], None]

_JOBS_SAMPLED = 20


async def run_provenance_consumer(settings: Settings) -> None:
    """Consume entity events and overrides until a signal stops the process.

    Raises:
        LlamalogError: continuing would do harm; the message says why.
    """
    names = topics_of(settings)
    group = settings.consumer_group
    async with AsyncExitStack() as stack:
        monitored, metrics = await stack.enter_async_context(open_monitoring(settings, "consumer_port"))
        await require_fit_servers(settings)
        # A consumer that missed its session timeout must not hold locks on rows of its former partitions.
        pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog consumer", clears=False, idle_within=settings.session_seconds)
        )
        event_publisher = await stack.enter_async_context(
            open_publisher(settings, "/llamalog/provenance-consumer")
        )
        await require_recorded_topic(pool, names.entity_events.name)
        log = LogStore(pool)
        ingest = Ingest(
            log,
            event_publisher,
            JobCache(settings.cached_jobs, metrics),
            group=group,
            metrics=metrics,
        )

        def subscribe_ingest(broker: KafkaBroker, fail: Fail) -> BatchDelivery:
            delivery = BatchDelivery(
                Steps(ingest.prepare, ingest.record, ingest.publish),
                max_records=settings.batch_records,
                fail=fail,
                start=StartOffsets(lambda: log.next_offsets(group), knows_ends=settings.kafka_durable),
                metrics=metrics,
            )
            subscribe(
                broker,
                delivery,
                names.entity_events.name,
                names.overrides.name,
                group=group,
                session_seconds=settings.session_seconds,
            )
            return delivery

        reader = Reader(pool)

        async def measure() -> None:
            for job, depth in (await read_depths(reader, metrics.sample_jobs(_JOBS_SAMPLED))).items():
                metrics.depth(depth, job)

        await _run(
            settings,
            subscribe_ingest,
            monitored,
            metrics,
            ping=partial(reader.value, "ping"),
            measure=measure,
        )


async def run_migration_consumer(settings: Settings) -> None:
    """Store commands as runs, and execute them, until a signal stops the process.

    Raises:
        LlamalogError: continuing would do harm; the message says why.
    """
    names = topics_of(settings)
    async with AsyncExitStack() as stack:
        monitored, metrics = await stack.enter_async_context(
            open_monitoring(settings, "migration_consumer_port")
        )
        await require_fit_servers(settings)
        pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog migration-consumer", clears=False)
        )
        lock_pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog migration-consumer", most=1)
        )
        planning_pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog recompute", keep_plans=False, clears=False)
        )
        recompute_pool = await stack.enter_async_context(
            open_pool(settings, name="llamalog recompute", most=1, clears=False)
        )
        event_publisher = await stack.enter_async_context(
            open_publisher(settings, "/llamalog/migration-consumer")
        )
        queue, backfills = RecomputeQueue(pool), BackfillStore(pool)
        tasks = [
            *recompute_tasks(pool, planning_pool, metrics, keeping_plans=recompute_pool),
            sweep_task(
                planning_pool,
                every=settings.sweep_seconds,
                full_every=settings.full_sweep_seconds,
                metrics=metrics,
            ),
            *publish_tasks(pool, event_publisher),
            history_task(pool, keep=timedelta(days=settings.history_days), metrics=metrics),
        ]
        worker = Worker(lock=WorkerLock(lock_pool), queue=queue, tasks=tasks, poll_every=POLL_SECONDS)
        working = asyncio.create_task(worker.run())

        def subscribe_commands(broker: KafkaBroker, fail: Fail) -> BatchDelivery:
            working.add_done_callback(lambda task: _report_failure(task, fail))
            delivery = migration_delivery(
                queue, backfills, worker, event_publisher, fail=fail, metrics=metrics
            )
            subscribe(
                broker,
                delivery,
                names.backfill_commands.name,
                group=settings.migration_group,
                session_seconds=settings.session_seconds,
            )
            return delivery

        reader = Reader(pool)
        gauges = TableGauges(metrics.registry)

        async def measure() -> None:
            gauges.set(await read_table_stats(reader))

        try:
            await _run(
                settings,
                subscribe_commands,
                monitored,
                metrics,
                ping=partial(reader.value, "ping"),
                measure=measure,
            )
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


async def _run(
    settings: Settings,
    subscribe: Callable[[KafkaBroker, Fail], BatchDelivery],
    monitored: Monitored,
    metrics: PrometheusMetrics,
    *,
    ping: Check,
    measure: Check,
) -> None:
    """Run a broker with what `subscribe` adds, until a signal or a failure after which nothing may go on."""
    structlog.get_logger("llamalog.process").info("starting", kernels=kernels.form())
    logger = logging.getLogger("faststream")  # it logs the errors that it swallows
    broker = RetryingBroker(
        settings.kafka_servers(),
        security=security_of(settings),
        metadata_max_age_ms=METADATA_MILLISECONDS,
        apply_types=False,
        graceful_timeout=30.0,
        consumer_only=True,
        logger=logger,
    )
    app = FastStream(broker, logger=logger)
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        failures.append(error)
        monitored.signals.fail(error)
        app.exit()

    delivery = subscribe(broker, fail)
    app.on_shutdown(monitored.signals.stop)
    app.on_shutdown(delivery.close)
    lag = LagProbe(settings, delivery, monitored.signals, metrics)
    monitored.watch(delivery, lag, ping=ping, measure=measure)
    tune_garbage_collector()
    await app.run()
    if failures:
        raise failures[0]


def _report_failure(task: asyncio.Task[None], fail: Fail) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        fail(error)
