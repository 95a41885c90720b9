"""The cache of jobs' facts holds what has been seen, and has what has not looked up again."""

from collections.abc import Collection

from msgspec.structs import replace

from llamalog_service.domain.roots import UNSEEN, JobFacts
from llamalog_service.ingest.ingest import JobCache

SEEN = replace(UNSEEN, seen=True)


async def fetched(cache: JobCache, *jobs: str) -> list[str]:
    """The jobs that the cache does not answer by itself."""
    missed: list[str] = []

    async def fetch(missing: Collection[str]) -> dict[str, JobFacts]:
        missed.extend(missing)
        return {}

    await cache.facts(jobs, fetch)
    return missed


async def test_a_seen_job_is_remembered() -> None:
    cache = JobCache(10)
    cache.remember({"seen": SEEN})
    assert await fetched(cache, "seen") == []


async def test_an_unseen_job_is_fetched_every_time_since_its_event_may_come_at_any_moment() -> None:
    cache = JobCache(10)
    cache.remember({"unseen": UNSEEN})
    assert await fetched(cache, "unseen") == ["unseen"]


async def test_a_job_that_turns_out_unseen_is_forgotten() -> None:
    cache = JobCache(10)
    cache.remember({"job": SEEN})
    cache.remember({"job": UNSEEN})
    assert await fetched(cache, "job") == ["job"]
