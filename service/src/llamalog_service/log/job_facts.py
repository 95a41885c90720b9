"""Facts about jobs, read from the table for the batches of the ingest, before they are written and after.

A batch names thousands of jobs, of which nearly none was seen before, and whose rows are nearly all its own.
So the first statement of each look-up is for all jobs at once and leaves few: an index scan for an array
walks the index once, where a join or a subquery begins anew for every job.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import asyncpg
import msgspec
from msgspec.structs import replace

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.lineage import OPEN, Statement
from llamalog_service.domain.roots import UNSEEN, JobFacts, Resolution
from llamalog_service.postgres.statements import sql

_FEW_JOBS: Final = 100
"""So many are looked up one by one: for all at once every row of a job is read, and it may have very many."""


async def read_job_facts(pool: asyncpg.Pool, jobs: Collection[str]) -> dict[str, JobFacts]:
    """The table's facts about each of these jobs; every one gets an entry."""
    facts = dict.fromkeys(jobs, UNSEEN)
    if len(jobs) > _FEW_JOBS:
        found = await pool.fetch(sql("jobs_known"), jobs)
        jobs = [job for record in found if (job := record["job"]) in facts]
    if jobs:
        records = await pool.fetch(sql("job_facts"), jobs)
        facts.update((record["job"], _job_facts(record)) for record in records)
    return facts


async def find_stale_jobs(
    pool: asyncpg.Pool, jobs: Mapping[str, JobFacts], suspicious: Collection[str], transaction: int
) -> set[str]:
    """Those jobs that rows of other transactions name, at odds with what a batch found.

    Args:
        jobs: the jobs of the batch as it left them.
        suspicious: those for which any other row that names them is reason enough.
        transaction: the batch's own, whose rows agree with each other.
    """
    found = await pool.fetch(sql("jobs_of_others"), list(jobs), transaction) if jobs else ()
    named = [job for record in found if (job := record["job"]) in jobs]
    if not named:
        return set()
    facts = [jobs[job] for job in named]
    records = await pool.fetch(
        sql("stale_jobs"),
        named,
        [known.claim.named if known.claim else None for known in facts],
        [known.resolution.root_job_id for known in facts],
        [_ending(known.resolution.origin) for known in facts],
        [job in suspicious for job in named],
        transaction,
        [_members(known.resolution) for known in facts],
    )
    return {record["job"] for record in records}


def _members(resolution: Resolution) -> str | None:
    members = resolution.cycle_members
    return None if members is None else msgspec.json.encode(members).decode()


def _ending(origin: Origin) -> str:
    if origin is Origin.RESOLVED:
        return "SEEN"
    return "OPEN" if origin in OPEN else origin.value


def _job_facts(record: Mapping[str, Any]) -> JobFacts:
    """The facts about a job, as the query of that name selects them."""
    if not record["is_seen"]:
        return replace(UNSEEN, resolution=Resolution(record["job"], Origin.ADOPTED))
    declaration = _statement(record, "declared")
    return JobFacts(True, _statement(record, "claim"), declaration, _resolution(record, declaration))


def _statement(record: Mapping[str, Any], prefix: str) -> Statement | None:
    row = record[f"{prefix}_row"]
    return None if row is None else Statement(record[f"{prefix}_time"], row, record[f"{prefix}_named"])


def _resolution(record: Mapping[str, Any], declaration: Statement | None) -> Resolution:
    """The end of the walk from a seen job, by one of its rows; a row not processed yet counts as pending."""
    match record["origin"]:
        case "ROOT" | "RESOLVED":
            return Resolution(record["root_job_id"], Origin.RESOLVED)
        case "ADOPTED":
            return Resolution(record["root_job_id"], Origin.ADOPTED)
        case "CYCLE":
            return Resolution(None, Origin.CYCLE, tuple(record["cycle_members"] or ()))
        case None:  # unprocessed: a root that another program computed is no declaration
            return Resolution(None, Origin.PENDING)
        case _:
            root = declaration.named if declaration else record["root_job_id"]
            return Resolution(root, Origin.PENDING if root is None else Origin.DECLARED)
