"""The migration consumer's batches: commands become runs for the worker, bad messages dead letters."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.codec import decode_command
from llamalog_schemas.commands import BackfillRoots, RecomputeRoots, RunRequest
from llamalog_schemas.errors import InvalidMessageError
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.recomputes import QueuedRecompute, RecomputeQueue
from llamalog_service.backfill.worker import RECOMPUTING, Worker
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.kafka.consumer.pipeline import Steps
from llamalog_service.kafka.dead_letters import RejectedRecord, too_large
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.reader import Record
from llamalog_service.kafka.record_batches import CutValue
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_MAX_COMMANDS = 500
_POLL_SECONDS = 0.5
"""A command ends the wait, of a poll as of Kafka: this bounds only how often an idle process polls."""


class Commands(NamedTuple):
    """A batch of commands: recomputes, and backfills with requests about them in their order."""

    recomputes: list[QueuedRecompute]
    backfills: list[BackfillRoots | RunRequest]


def migration_delivery(
    queue: RecomputeQueue,
    backfills: BackfillStore,
    worker: Worker,
    event_publisher: EventPublisher,
    *,
    fail: Callable[[BaseException], None],
    metrics: Metrics = NULL_METRICS,
) -> BatchDelivery:
    """The delivery of command batches: kept as runs, the worker woken, dead letters published.

    Args:
        fail: called with an error after which the process must not continue.
        metrics: count batches and their steps.
    """

    async def record(decoded: tuple[Commands, list[RejectedRecord]]) -> list[RejectedRecord]:
        commands, rejected = decoded
        if commands.recomputes:
            await queue.enqueue(commands.recomputes)
            worker.wake(RECOMPUTING)
        if commands.backfills:
            await backfills.apply(commands.backfills)
            worker.wake()
        return rejected

    return BatchDelivery(
        Steps(read_commands, record, event_publisher.publish_dead_letters),
        max_records=_MAX_COMMANDS,
        fail=fail,
        metrics=metrics,
        poll_seconds=_POLL_SECONDS,
    )


async def read_commands(records: Sequence[Record]) -> tuple[Commands, list[RejectedRecord]]:
    """Decode commands, yielding to the event loop before each message, which may be a large one."""
    commands = Commands([], [])
    rejected: list[RejectedRecord] = []
    for record in records:
        await asyncio.sleep(0)
        read_command(record, commands, rejected)
    return commands, rejected


def read_command(record: Record, commands: Commands, rejected: list[RejectedRecord]) -> None:
    """Decode a command; a message that is none is rejected, a tombstone is skipped."""
    if record.value is None:
        return
    if type(record.value) is CutValue:
        rejected.append(RejectedRecord(record, too_large(record.value)))
        return
    try:
        command = decode_command(record.value)
    except InvalidMessageError as invalid:
        rejected.append(RejectedRecord(record, DeadLetter(invalid.reason, invalid.sentence)))
        return
    if isinstance(command, RecomputeRoots):
        commands.recomputes.append(QueuedRecompute(UUID(command.id), command.data.jobs, command.data.reason))
    else:
        commands.backfills.append(command)
