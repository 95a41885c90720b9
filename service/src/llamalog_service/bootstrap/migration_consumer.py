"""The migration consumer: commands become runs; a worker beside it does them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from faststream.kafka import KafkaBroker

from llamalog_schemas.codec import decode_command
from llamalog_schemas.commands import BackfillRoots, RecomputeRoots, RunRequest
from llamalog_schemas.errors import InvalidMessageError
from llamalog_service.backfill.command_store import Run, RunStore
from llamalog_service.backfill.run_store import BackfillStore
from llamalog_service.backfill.worker import Worker
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.consumer.delivery import BatchDelivery, subscribe
from llamalog_service.kafka.consumer.pipeline import Steps
from llamalog_service.kafka.dead_letters import Record, RejectedRecord
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_MAX_COMMANDS = 500


class Commands(NamedTuple):
    """What a batch of commands asks for: repairs, and backfills with requests about them in their order."""

    repairs: list[Run]
    backfills: list[BackfillRoots | RunRequest]


def subscribe_migration_consumer(
    broker: KafkaBroker,
    runs: RunStore,
    backfills: BackfillStore,
    worker: Worker,
    event_publisher: EventPublisher,
    *,
    topic: str,
    group: str,
    session_seconds: float,
    fail: Callable[[BaseException], None],
    metrics: Metrics = NULL_METRICS,
) -> BatchDelivery:
    """Have a broker's consumer of backfill commands keep them as runs; it does none of them itself.

    Args:
        session_seconds: how long it may be silent before Kafka hands its partitions on.
        fail: told of an error after which the process must not go on.
        metrics: told of batches and their steps.

    Returns:
        The delivery, to be closed before the broker is.
    """

    async def record(decoded: tuple[Commands, list[RejectedRecord]]) -> list[RejectedRecord]:
        commands, rejected = decoded
        await runs.enqueue(commands.repairs)
        await backfills.heed(commands.backfills)
        worker.wake()
        return rejected

    delivery = BatchDelivery(
        Steps(read_commands, record, event_publisher.publish_dead_letters),
        max_records=_MAX_COMMANDS,
        fail=fail,
        metrics=metrics,
    )
    subscribe(broker, delivery, topic=topic, group=group, session_seconds=session_seconds)
    return delivery


def read_commands(records: Sequence[Record]) -> tuple[Commands, list[RejectedRecord]]:
    """What commands ask for, and the messages that are no commands; tombstones are skipped."""
    commands = Commands([], [])
    letters: list[RejectedRecord] = []
    for record in records:
        if record.value is None:
            continue
        try:
            command = decode_command(record.value)
        except InvalidMessageError as invalid:
            letters.append(RejectedRecord(record, DeadLetter(invalid.reason, invalid.sentence)))
            continue
        if isinstance(command, RecomputeRoots):
            run = Run(UUID(command.id), "recompute-roots", command.data.jobs, command.data.reason)
            commands.repairs.append(run)
        else:
            commands.backfills.append(command)
    return commands, letters
