"""`--job`, `--root`, `--since` and `--until`: which rows a backfill is to plan."""

from collections.abc import Sequence
from datetime import datetime

from llamalog_schemas.commands import (
    MAX_JOBS_PER_COMMAND,
    GivenJobs,
    OneRoot,
    Scope,
    TimeWindow,
    WholeTable,
)
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME, MAX_JOB_LENGTH
from llamalog_service.domain.timestamps import parse_timestamp


class InvalidScopeError(ValueError):
    """The options name no scope; the message says why."""


def choose_scope(
    jobs: Sequence[str], root: str | None, since: datetime | None, until: datetime | None
) -> Scope:
    """The scope that is asked for; without any option that is every row.

    Raises:
        InvalidScopeError: options that exclude each other, or one that can't be.
    """
    asked = {
        "--job": bool(jobs),
        "--root": root is not None,
        "--since/--until": since is not None or until is not None,
    }
    named = [option for option, is_given in asked.items() if is_given]
    if len(named) > 1:
        raise InvalidScopeError(f"{' and '.join(named)} exclude each other: a backfill has one scope.")
    if jobs:
        return GivenJobs(jobs=_checked(jobs))
    if root is not None:
        return OneRoot(root_job_id=_checked([root])[0])
    if named:
        return _window(since or EARLIEST_TIME, until or LATEST_TIME)
    return WholeTable()


def parse_moment(text: str, *, ages: bool = False) -> datetime:
    """A moment as ISO 8601 has it, ``2026-02-10`` or ``2026-02-10T10:30:00+01:00``; without zone it is UTC.

    Raises:
        InvalidScopeError: it is no moment, or lies where no event can.
    """
    try:
        moment = parse_timestamp(text, ages=ages)
    except ValueError:
        raise InvalidScopeError(
            f"{text!r} is no moment. One looks like 2026-02-10 (UTC) or 2026-02-10T10:30:00+01:00."
        ) from None
    if not EARLIEST_TIME <= moment <= LATEST_TIME:
        raise InvalidScopeError(f"{text!r} lies outside of {EARLIEST_TIME:%Y} to {LATEST_TIME:%Y}.")
    return moment


def _checked(jobs: Sequence[str]) -> tuple[str, ...]:
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


def is_text(typed: str) -> bool:
    """Whether a message can say it: a shell hands over bytes that are no UTF-8 as halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in typed)


def _window(since: datetime, until: datetime) -> TimeWindow:
    if since >= until:
        raise InvalidScopeError(
            f"No row lies in that window: it begins {since.isoformat()} and ends before {until.isoformat()}."
        )
    return TimeWindow(from_=since, to=until)
