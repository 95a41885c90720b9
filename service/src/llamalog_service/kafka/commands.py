"""Commands to the migration consumer."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID, uuid4

from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.commands import (
    MAX_JOBS_PER_COMMAND,
    BackfillRoots,
    BackfillRootsData,
    RecomputeReason,
    RecomputeRoots,
    RecomputeRootsData,
    RunRequest,
    RunRequestData,
)
from llamalog_service.kafka.producer import MessageProducer, OutgoingMessage


async def publish_recompute(
    publisher: MessageProducer, topic: str, source: str, jobs: Collection[str], reason: RecomputeReason
) -> None:
    """Ask for the roots below these jobs to be computed anew.

    Raises:
        UnavailableError: not all were acknowledged; asking again is safe.
    """
    named = sorted(jobs)
    messages = []
    for start in range(0, len(named), MAX_JOBS_PER_COMMAND):
        command = RecomputeRoots(
            id=str(uuid4()),
            source=source,
            time=datetime.now(UTC),
            specversion="1.0",
            data=RecomputeRootsData(jobs=tuple(named[start : start + MAX_JOBS_PER_COMMAND]), reason=reason),
        )
        messages.append(OutgoingMessage(command.data.jobs[0].encode(), encode(command), STRUCTURED_HEADERS))
    await publisher.send(topic, messages)


async def publish_backfill(
    publisher: MessageProducer, topic: str, source: str, data: BackfillRootsData, *, run: UUID
) -> None:
    """Ask for a backfill under the id that its run is to have.

    Raises:
        UnavailableError: it was not acknowledged; asking again under the same id is safe.
    """
    command = BackfillRoots(id=str(run), source=source, time=datetime.now(UTC), specversion="1.0", data=data)
    await publisher.send(topic, [_message(run, command)])


async def publish_run_request(
    publisher: MessageProducer, topic: str, source: str, request: type[RunRequest], data: RunRequestData
) -> None:
    """Ask for a run to be paused, resumed or cancelled.

    Raises:
        UnavailableError: it was not acknowledged; it may have been heard all the same.
    """
    command = request(id=str(uuid4()), source=source, time=datetime.now(UTC), specversion="1.0", data=data)
    await publisher.send(topic, [_message(data.run, command)])


def _message(run: UUID, command: BackfillRoots | RunRequest) -> OutgoingMessage:
    """Keyed by the run: what is asked about one run is read in the order in which it was asked."""
    return OutgoingMessage(str(run).encode(), encode(command), STRUCTURED_HEADERS)
