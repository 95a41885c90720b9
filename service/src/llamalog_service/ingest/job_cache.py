"""What is remembered of jobs between batches: a hint, never the truth."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from cachetools import LRUCache

from llamalog_service.domain.roots import JobFacts
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

FetchFacts = Callable[[Collection[str]], Awaitable[dict[str, JobFacts]]]


class JobCache:
    """Facts of the jobs met last, at most `capacity` of them; `metrics` is told of hits and misses."""

    def __init__(self, capacity: int, metrics: Metrics = NULL_METRICS) -> None:
        self._metrics = metrics
        self._facts: LRUCache[str, JobFacts] = LRUCache(maxsize=capacity)

    async def facts(self, jobs: Collection[str], fetch: FetchFacts) -> dict[str, JobFacts]:
        """The facts of these jobs, those not remembered from one call of `fetch`."""
        remembered = self._facts.get
        known = {job: facts for job in jobs if (facts := remembered(job)) is not None}
        self._metrics.cache(len(known), len(jobs) - len(known))
        return known | await fetch([job for job in jobs if job not in known])

    def remember(self, facts: Mapping[str, JobFacts]) -> None:
        """Keep the facts of jobs that have been seen; that a job was not seen may be untrue in a moment."""
        for job, known in facts.items():
            if known.seen:
                self._facts[job] = known
            else:
                self._facts.pop(job, None)

    def forget(self, jobs: Collection[str]) -> None:
        """Drop what turned out to be doubtful."""
        for job in jobs:
            self._facts.pop(job, None)
