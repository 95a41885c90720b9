"""What the one worker attends to."""

import time

import asyncpg

from llamalog_service.backfill.command_store import RunStore
from llamalog_service.backfill.corrections import Corrections
from llamalog_service.backfill.plan_batches import PlanBatches
from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.progress_events import ProgressEvents
from llamalog_service.backfill.repairs import Repairs
from llamalog_service.backfill.run_store import BackfillStore
from llamalog_service.backfill.runner import BackfillRunner, Stores
from llamalog_service.backfill.sweep import Sweep
from llamalog_service.backfill.worker import PeriodicTask
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import Outbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.settings import DatabaseSettings
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

POLL_SECONDS = 0.5
_NEWS_SECONDS = 1.0


def repair_tasks(
    pool: asyncpg.Pool, planning_pool: asyncpg.Pool, metrics: Metrics = NULL_METRICS
) -> list[PeriodicTask]:
    """Repairs and backfills; PostgreSQL is all they need.

    Args:
        planning_pool: its connections plan every statement anew.
        metrics: told what repairs change.
    """
    recompute = RecomputeStore(planning_pool, metrics)
    stores = Stores(
        backfills=BackfillStore(pool),
        plans=PlanStore(planning_pool),
        batches=PlanBatches(planning_pool),
        recompute=recompute,
        outbox=Outbox(pool),
    )
    return [
        PeriodicTask("repairing roots", Repairs(RunStore(pool), recompute).do_waiting, POLL_SECONDS),
        PeriodicTask("backfilling", BackfillRunner(stores, poll_every=POLL_SECONDS).run_next, POLL_SECONDS),
    ]


def sweep_task(
    settings: DatabaseSettings, planning_pool: asyncpg.Pool, metrics: Metrics = NULL_METRICS
) -> PeriodicTask:
    """The sweep for what nobody asks to be repaired; arguments as above."""
    sweep = Sweep(
        RecomputeStore(planning_pool, metrics),
        every=settings.sweep_seconds,
        full_every=settings.full_sweep_seconds,
        clock=time.monotonic,
    )

    async def sweep_if_due() -> bool:
        await sweep.sweep_if_due()
        return False

    return PeriodicTask("sweeping", sweep_if_due, POLL_SECONDS)


def publish_tasks(pool: asyncpg.Pool, event_publisher: EventPublisher) -> list[PeriodicTask]:
    """Corrections and news of backfills, told through Kafka."""
    backfills = BackfillStore(pool)
    corrections = Corrections(Outbox(pool), backfills, event_publisher)
    return [
        PeriodicTask("telling corrections", corrections.tell_next, POLL_SECONDS),
        PeriodicTask("telling of backfills", ProgressEvents(backfills, event_publisher).tell, _NEWS_SECONDS),
    ]
