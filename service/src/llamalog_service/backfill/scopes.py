"""Scopes of backfills as people name them, on the command line and in a form."""

from collections.abc import Sequence
from datetime import datetime

from llamalog_schemas.commands import MAX_JOBS_PER_COMMAND, TimeWindow
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME, MAX_JOB_LENGTH
from llamalog_service.domain.timestamps import parse_timestamp


class InvalidScopeError(ValueError):
    """Text that names no scope; the message says why."""


def parse_moment(text: str) -> datetime:
    """A moment as ISO 8601 has it, ``2026-02-10`` or ``2026-02-10T10:30:00+01:00``; without zone it is UTC.

    Raises:
        InvalidScopeError: it is no moment, or lies where no event can.
    """
    try:
        moment = parse_timestamp(text)
    except ValueError:
        raise InvalidScopeError(
            f"{text!r} is no moment. One looks like 2026-02-10 (UTC) or 2026-02-10T10:30:00+01:00."
        ) from None
    if not EARLIEST_TIME <= moment <= LATEST_TIME:
        raise InvalidScopeError(f"{text!r} lies outside of {EARLIEST_TIME:%Y} to {LATEST_TIME:%Y}.")
    return moment


def checked_jobs(jobs: Sequence[str]) -> tuple[str, ...]:
    """The names of jobs, each once.

    Raises:
        InvalidScopeError: they are too many, or one can't be that of a job.
    """
    wanted = tuple(dict.fromkeys(jobs))
    if len(wanted) > MAX_JOBS_PER_COMMAND:
        raise InvalidScopeError(
            f"{len(wanted):,} jobs are named; a backfill takes {MAX_JOBS_PER_COMMAND:,} at most. "
            "Start several, or one over a time window."
        )
    for job in wanted:
        if not (1 <= len(job) <= MAX_JOB_LENGTH and is_text(job)):
            raise InvalidScopeError(
                f"{job[:120]!r} can't be a job: its name has 1 to {MAX_JOB_LENGTH} characters."
            )
    return wanted


def is_text(text: str) -> bool:
    """Whether text can be encoded: a shell passes bytes that are no UTF-8 as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def window(since: datetime | None, until: datetime | None) -> TimeWindow:
    """A window of time; without a bound it reaches as far as events can.

    Raises:
        InvalidScopeError: it is empty.
    """
    begin, end = since or EARLIEST_TIME, until or LATEST_TIME
    if begin >= end:
        raise InvalidScopeError(
            f"No row lies in that window: it begins {begin.isoformat()} and ends before {end.isoformat()}."
        )
    return TimeWindow(from_=begin, to=end)
