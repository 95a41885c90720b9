"""The rule of roots, set-wise: what every row of a scope must have, read from one snapshot."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from llamalog_schemas.commands import GivenJobs, OneRoot, Scope, TimeWindow, WholeTable
from llamalog_service.domain.rows import utc_milliseconds
from llamalog_service.log.recompute import BY_INDEX, resolve_cycles
from llamalog_service.postgres.statements import sql

MEMORY: Final = "SET LOCAL work_mem = '128MB'"
_JOBS_IN_MEMORY = 1_200_000
"""Of jobs with names of 50 characters so many take 200 of the 256 MB that a hash may take."""

_JOBS_BY_INDEX = 10_000
"""Up to so many jobs are looked up one by one; for more, one pass through the table is cheaper."""

_BY_COST = BY_INDEX.replace("off", "on")


class Rule(NamedTuple):
    """The statement that computes the roots of a scope's rows by the rule, with its values."""

    name: str
    values: tuple[datetime | None, ...]

    def over(self, statement: str) -> str:
        """A statement that reads from the rule."""
        return statement.replace("RULE", sql(self.name))


async def prepare_rule(connection: asyncpg.Connection, scope: Scope) -> Rule:
    """Fill the work tables for a scope, in the connection's transaction; the rule reads from them."""
    await connection.execute(MEMORY)
    await connection.execute(sql("plan_prepare"))
    rule = await _find_lineages(connection, scope)
    await connection.execute("ANALYZE plan_jobs")
    jobs = await connection.fetchval("SELECT count(*) FROM plan_jobs")
    if await _find_ends(connection, jobs) < jobs:
        await resolve_cycles(connection, "plan_endless", "plan_cycles")
    await connection.execute("ANALYZE plan_ends")
    return rule


async def _find_lineages(connection: asyncpg.Connection, scope: Scope) -> Rule:
    match scope:
        case WholeTable():
            await connection.execute(sql("plan_jobs_all"))
            return Rule("plan_rule_all", (None, None))
        case TimeWindow():
            window = (utc_milliseconds(scope.from_), utc_milliseconds(scope.to))
            starts = [record["job"] for record in await connection.fetch(sql("plan_starts"), *window)]
            if len(starts) > _JOBS_BY_INDEX:
                await connection.execute(sql("plan_jobs_all"))
            else:
                await _find_by_index(connection, starts, below=False)
            return Rule("plan_rule_all", window)
        case GivenJobs():
            await _find_by_index(connection, scope.jobs, below=True)
            return Rule("plan_rule_some", ())
        case OneRoot():
            held = await connection.fetch(sql("plan_starts_of_root"), scope.root_job_id)
            starts = [scope.root_job_id, *(record["job"] for record in held)]
            await _find_by_index(connection, starts, below=True)
            return Rule("plan_rule_some", ())


async def _find_by_index(connection: asyncpg.Connection, jobs: Iterable[str], *, below: bool) -> None:
    await connection.execute(BY_INDEX)
    await connection.execute(sql("plan_jobs_some"), sorted(set(jobs)), below)
    await connection.execute(_BY_COST)


async def _find_ends(connection: asyncpg.Connection, jobs: int) -> int:
    """Walk down from the tops; how many jobs were reached.

    As long as they fit the memory, the jobs are hashed once for all levels, which is faster than
    by an index. What does not fit would be read anew for every level of a deep chain.
    """
    if jobs > _JOBS_IN_MEMORY:
        await connection.execute("CREATE INDEX ON plan_jobs (parent)")
        await connection.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    else:
        await connection.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off")
    reached = await connection.execute(sql("plan_ends"))
    await connection.execute(_BY_COST + "; SET LOCAL enable_nestloop = on")
    return rows_of(reached)


def rows_of(status: str) -> int:
    """How many rows a statement touched, from its command tag."""
    return int(status.rpartition(" ")[2])
