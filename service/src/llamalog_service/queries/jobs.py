"""What the log knows of one job."""

from dataclasses import dataclass
from datetime import datetime

from llamalog_service.store.reader import Reader


@dataclass(frozen=True, slots=True)
class StandingDecree:
    """The decree about a job that counts, of those that the consumer has read.

    Attributes:
        decreed_at: UTC without a zone.
    """

    adopted: bool
    reason: str
    requested_by: str
    decreed_at: datetime


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job as the log knows it.

    Attributes:
        seen_since: the time of its earliest event, UTC without a zone; None if it was never seen.
        is_named: whether a row names it as its parent.
        decree: None if nobody ever adopted it.
    """

    seen_since: datetime | None
    is_named: bool
    decree: StandingDecree | None


async def read_job_standing(reader: Reader, job: str) -> JobStanding:
    """What the log knows of a job.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.row("job_standing", job)
    decree = None
    if found["adopted"] is not None:
        decree = StandingDecree(found["adopted"], found["reason"], found["requested_by"], found["decreed_at"])
    return JobStanding(found["seen_since"], found["is_named"], decree)
