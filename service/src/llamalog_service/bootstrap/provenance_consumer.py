"""The provenance consumer: FastStream's edge of the ingest."""

import logging
from collections.abc import Callable

import structlog
from faststream.kafka import KafkaBroker

from llamalog_schemas.events import Category
from llamalog_service.ingest.ingest import BatchOutcome, Ingest, PreparedBatch, RecordedBatch
from llamalog_service.kafka.consumer import (
    BatchDelivery,
    StartOffsets,
    Steps,
    StoredPositions,
    subscribe,
)
from llamalog_service.retry import retry_until_available
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_NAME = "llamalog.consumer"
_log = structlog.get_logger(_NAME)

TIMEOUT = 60.0
"""Seconds that a batch waits for PostgreSQL or Kafka before it is put back and polled anew."""


def subscribe_provenance_consumer(
    broker: KafkaBroker,
    ingest: Ingest,
    *,
    stored_positions: StoredPositions,
    topic: str,
    group: str,
    session_seconds: float,
    max_records: int,
    knows_ends: bool,
    fail: Callable[[BaseException], None],
    metrics: Metrics = NULL_METRICS,
) -> BatchDelivery:
    """Have a broker's consumer of entity events handled by an ingest.

    Args:
        stored_positions: tells the next offsets that the database has recorded, by partition.
        session_seconds: how long it may be silent before Kafka hands its partitions on.
        max_records: the largest batch; it bounds the memory whatever the backlog.
        knows_ends: whether the broker tells where partitions end.
        fail: told of an error after which the process must not go on.
        metrics: told of batches and their steps.

    Returns:
        The delivery, to be closed before the broker is.
    """

    async def record(prepared: PreparedBatch) -> RecordedBatch:
        return await retry_until_available(
            lambda: ingest.record(prepared), doing="recording a batch", timeout=TIMEOUT
        )

    async def tell(written: RecordedBatch) -> None:
        outcome = await retry_until_available(
            lambda: ingest.publish(written), doing="telling of a batch", timeout=TIMEOUT
        )
        _say(written, outcome)

    delivery = BatchDelivery(
        Steps(ingest.prepare, record, tell),
        max_records=max_records,
        fail=fail,
        start=StartOffsets(stored_positions, knows_ends=knows_ends),
        metrics=metrics,
    )
    subscribe(
        broker,
        delivery,
        topic=topic,
        group=group,
        session_seconds=session_seconds,
        max_records=max_records,
    )
    return delivery


def _say(written: RecordedBatch, outcome: BatchOutcome) -> None:
    """A line for the batch, what there was none of left out; a line for each row where somebody debugs."""
    counts = {name: count for name, count in outcome._asdict().items() if count and name != "recorded"}
    in_order = {category: count for category in Category if (count := outcome.recorded.get(category))}
    _log.info("recorded", rows=len(written.classified.new), categories=in_order, **counts)
    if not logging.getLogger(_NAME).isEnabledFor(logging.DEBUG):
        return
    for row, root in zip(written.classified.new, written.resolved.roots, strict=False):
        told = {
            "operation": row.operation,
            "entity": f"{row.entity_type}/{row.entity_id}" if row.entity_type and row.entity_id else None,
            "job": row.job_id,
            "parent": row.parent_job_id,
            "root": root.root_job_id,
            "error_code": row.error_code,
        }
        said = {name: value for name, value in told.items() if value is not None}
        _log.debug("row", category=row.category, id=str(row.id), **said, origin=root.origin)
