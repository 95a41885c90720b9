"""Backfills in words: what is asked of one, how far it is, how it ended."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, assert_never

from llamalog_schemas.backfills import BackfillEndedData, BackfillPhase, BackfillProgressedData, RunStatus
from llamalog_schemas.commands import GivenJobs, OneRoot, Scope, TimeWindow, WholeTable
from llamalog_service.queries.backfills import BackfillRun

CLASSES: Final = {
    "roots": "the job is the root itself",
    "children": "root found by following parents",
    "adopted": "top never logged, counts as a root",
    "declared": "top never logged, a producer named a root",
    "pending": "root unknown: top never logged",
    "cycles": "root unknown: on a cycle of parents or below one",
    "untracked": "root unknown: no job and no parent named",
}
"""The classes that add up to all rows, with their meaning."""

_PHASES: Final = {
    BackfillPhase.WAITING: "waiting for its turn",
    BackfillPhase.PLANNING: "planning",
    BackfillPhase.WRITING: "writing",
    BackfillPhase.LOOKING_AGAIN: "looking again",
    BackfillPhase.RECONCILING: "counting again",
    BackfillPhase.DONE: "done",
}


Standing = BackfillRun | BackfillProgressedData | BackfillEndedData
"""How far a backfill is, as its row says it, or an event."""


def scope_in_words(scope: Scope, shown: Callable[[str], str]) -> str:
    """Which rows a backfill plans.

    Args:
        shown: makes the name of a job fit to be seen, where it may hold any character.
    """
    match scope:
        case WholeTable():
            return "everything"
        case TimeWindow(from_=start, to=end):
            return f"rows from {moment(start)} to before {moment(end)}"
        case GivenJobs(jobs=(job,)):
            return f"the job {shown(job)} and below"
        case GivenJobs(jobs=jobs):
            return f"the job {shown(jobs[0])}, {len(jobs) - 1:,} more, and below"
        case OneRoot(root_job_id=root):
            return f"the root {shown(root)} and below"
    assert_never(scope)


def standing_in_words(standing: Standing) -> str:
    """What it is doing now, or how it ended."""
    if standing.status is RunStatus.RUNNING:
        return _PHASES[standing.phase]
    if standing.status is RunStatus.PAUSED:
        return f"paused while {_PHASES[standing.phase]}"
    return _PHASES[BackfillPhase.WAITING] if standing.status is RunStatus.QUEUED else standing.status.value


def moment(at: datetime | None) -> str:
    """To the second, in UTC; a dash for what has not happened."""
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
