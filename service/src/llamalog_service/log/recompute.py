"""The recompute: rows whose root or origin differs from the rule are corrected in one transaction."""

from collections import Counter
from collections.abc import Collection, Sequence
from enum import Enum
from typing import NamedTuple

import asyncpg
import msgspec

from llamalog_service.domain.lineage import cycles_below
from llamalog_service.postgres.locks import lock_recompute
from llamalog_service.postgres.statements import Row, sql
from llamalog_service.telemetry.metrics import NULL_METRICS, Corrected, Metrics

LOCK_TIMEOUT_SECONDS = 0.5
"""How long a batch waits for locks of live traffic before it gives way."""

_ANALYZE_FROM = 10_000
_UNTRACKED_AT_ONCE = 5_000
BY_INDEX = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""
"""For some jobs' rows never read the table: its statistics may be those of an hour when it was empty."""


class Everything(Enum):
    """The scope of a recompute over all jobs."""

    EVERYTHING = "everything"


class RecomputeStore:
    """Recomputes roots over a pool of its own, whose connections plan every statement anew.

    The work tables hold three jobs in one transaction and a million in the next; a plan kept from
    one would be ruinous for the other.
    """

    def __init__(self, pool: asyncpg.Pool, metrics: Metrics = NULL_METRICS) -> None:
        self._pool = pool
        self._metrics = metrics

    async def recompute(self, scope: Collection[str] | Everything) -> dict[str, int]:
        """Correct the rows of these jobs and of everything below them.

        Rows of other writers are normalised first, and the rows that this affects are corrected too.

        Returns:
            How many rows were changed, by the job at which their walk starts.

        Raises:
            UnavailableError: nothing is changed, or the commit's outcome is unknown; repeating is safe.
        """
        async with self._pool.acquire() as connection:
            await connection.execute(sql("recompute_prepare"))
            async with connection.transaction():
                await lock_recompute(connection)
                without_claim = await normalise_external_parents(connection)
                if not isinstance(scope, Everything):
                    scope = {*scope, *without_claim}
                await _find_lineages(connection, scope)
                await connection.execute(sql("recompute_ends"))
                await resolve_cycles(connection, "recompute_endless", "recompute_cycles")
                deepest = await connection.fetchrow(sql("recompute_deepest"))
                changed = await connection.fetch(sql("recompute_write"))
        self._metrics.corrected(_corrected(changed, deepest))
        return _sums(changed, "start")

    async def resolve_untracked(self) -> int:
        """Give rows without job and parent, put in by another writer, their origin; how many there were."""
        resolved = 0
        while changed := await self._resolve_some_untracked():
            resolved += changed
        return resolved

    async def _resolve_some_untracked(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await lock_recompute(connection)
            await normalise_external_parents(connection)
            return int(await connection.fetchval(sql("resolve_untracked"), _UNTRACKED_AT_ONCE))

    async def stale_starts(self, limit: int) -> list[str]:
        """At most `limit` jobs at which rows without a final root start that look stale."""
        records = await self._pool.fetch(sql("stale_starts"), limit)
        return [record["job"] for record in records]


def _corrected(changed: Sequence[Row], deepest: Row | None) -> Corrected:
    return Corrected(
        by_origin=_sums(changed, "origin"),
        known_after=[seconds for record in changed for seconds in record["known_after"]],
        parent_conflicts=sum(record["conflicts"] for record in changed),
        declaration_conflicts=sum(record["disagreeing"] for record in changed),
        depth=0 if deepest is None else deepest["depth"],
        deepest=None if deepest is None else deepest["job"],
    )


def _sums(changed: Sequence[Row], by: str) -> dict[str, int]:
    """Rows changed, by one of the columns."""
    sums: Counter[str] = Counter()
    for record in changed:
        sums[record[by]] += record["changed"]
    return dict(sums)


async def _find_lineages(connection: asyncpg.Connection, scope: Collection[str] | Everything) -> None:
    if isinstance(scope, Everything):
        status = await connection.execute(sql("recompute_scope_all"))
    else:
        await connection.execute(BY_INDEX)
        status = await connection.execute(sql("recompute_scope"), list(scope))
    if int(status.rpartition(" ")[2]) >= _ANALYZE_FROM:
        await connection.execute("ANALYZE recompute_jobs")


async def resolve_cycles(connection: asyncpg.Connection, endless: str, cycles: str) -> None:
    """Note the cycle of every job whose parents have no end.

    Args:
        endless: the statement that selects these jobs with their parents.
        cycles: the statement that writes the members of a cycle at each of them.
    """
    found = await connection.fetch(sql(endless))
    if found:
        members = cycles_below({record["job"]: record["parent"] for record in found})
        await connection.execute(
            sql(cycles), list(members), [msgspec.json.encode(names).decode() for names in members.values()]
        )


class Repair(NamedTuple):
    """What a repair did: rows changed, and passes needed, the last of which changed nothing."""

    rows_changed: int
    passes: int


async def recompute_until_converged(store: RecomputeStore, scope: Collection[str] | Everything) -> Repair:
    """Correct a scope, then the jobs below each correction, until a pass changes nothing.

    A row may be committed below a correction while the correction is under way, resolved by what was
    true before it. Either its writer verifies after the correction's commit, or the next pass,
    which comes after it too, finds the row.
    """
    rows_changed = passes = 0
    while scope:
        changed = await store.recompute(scope)
        rows_changed += sum(changed.values())
        passes += 1
        scope = changed.keys()
    return Repair(rows_changed, passes)


async def normalise_external_parents(connection: asyncpg.Connection) -> list[str]:
    """Clear the parents of rows that call themselves root jobs; the first value kept of a row stays kept.

    Cheap where there are none: a partial index leads to them.

    Returns:
        The jobs that lost a claim by it: they and what is below them are to be recomputed.
    """
    return [record["job"] for record in await connection.fetch(sql("normalise_external_parents"))]
