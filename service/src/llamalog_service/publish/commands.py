"""Commands to the migration consumer."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import uuid4

from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.commands import (
    MAX_JOBS_PER_COMMAND,
    RecomputeReason,
    RecomputeRoots,
    RecomputeRootsData,
)
from llamalog_service.publish.producer import OutgoingMessage, Publisher


async def publish_recompute(
    publisher: Publisher, topic: str, source: str, jobs: Collection[str], reason: RecomputeReason
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
    await publisher.publish(topic, messages)
