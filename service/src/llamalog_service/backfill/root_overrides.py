"""Root overrides by operators: checked against the log, then published."""

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple

from llamalog_schemas.events import RootAdopted, RootAdoptionRevoked, RootOverrideEvent
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.domain.overrides import JobSeenError, new_override
from llamalog_service.kafka.publisher import OpenPublisher
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.jobs import JobState, read_job_state
from llamalog_service.retry import retry_until_available

_READ_SECONDS = 5.0


class PublishedOverride(NamedTuple):
    """A published override, and the job as the log knew it before; None if PostgreSQL was away."""

    override: RootOverrideEvent
    job_state: JobState | None


async def override_root(
    reader: Reader,
    open_publisher: OpenPublisher,
    job: str,
    *,
    source: str,
    adopted: bool,
    reason: str,
    requested_by: str,
    timeout: float,
) -> PublishedOverride:
    """Adopt a job that was never seen as a root, or revoke that.

    While PostgreSQL is away, the override is published all the same: it is only read, and the effect of an
    override follows from the events alone.

    Args:
        open_publisher: called once the override is known to be of use.
        source: the CloudEvents source, by what requested it.
        timeout: seconds to wait for Kafka.

    Raises:
        JobSeenError: it would have no effect.
        OverrideInvalidError: the contract refuses it.
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    job_state = await _read_job(reader, job)
    if job_state is not None and job_state.seen_since is not None:
        raise JobSeenError(job, job_state.seen_since)
    latest = (
        job_state.override.overridden_at if job_state is not None and job_state.override is not None else None
    )
    override = new_override(
        RootAdopted if adopted else RootAdoptionRevoked,
        job,
        source=source,
        reason=reason,
        requested_by=requested_by,
        now=datetime.now(UTC),
        latest=latest,
    )
    async with open_publisher() as publisher:
        await retry_until_available(
            lambda: publisher.publish_override(override),
            doing="publishing the override",
            timeout=timeout,
        )
    return PublishedOverride(override, job_state)


async def _read_job(reader: Reader, job: str) -> JobState | None:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            return await read_job_state(reader, job)
    except (UnavailableError, TimeoutError):
        return None
