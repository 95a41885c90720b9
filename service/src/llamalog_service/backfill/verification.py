"""What a backfill looks for once its plan is written."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.run_store import Backfill

_JOBS_AT_ONCE = 1000
_LONGEST_TRANSACTION = timedelta(minutes=10)
"""A row bears the time at which its transaction began, which may be before the run's start."""


async def starts_to_correct(plans: PlanStore, backfill: Backfill) -> set[str | None]:
    """Where to correct from; None: rows without any job.

    A row that came meanwhile below one that nobody had looked at waits for its top, and there are few of
    those. Where the batches have overruled what rows had, it may have taken that instead, or lie anywhere
    below; and a row may have been right again before its batch, so that no repair touched it and its
    revision said nothing. Then the rule is held against every row of the scope once more.
    """
    since = (backfill.started_at or backfill.requested_at) - _LONGEST_TRANSACTION
    starts: set[str | None] = set(await plans.late_starts(since))
    if await plans.overrules():
        starts.update(await plans.differing_starts(backfill.request.scope))
    return starts


def portions(jobs: Sequence[str]) -> Iterator[list[str]]:
    """Jobs in lists short enough for one transaction."""
    rest = iter(jobs)
    while portion := list(islice(rest, _JOBS_AT_ONCE)):
        yield portion
