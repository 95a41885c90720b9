"""The one repair: write the rows whose root or origin differs from the rule, set-wise, in one transaction."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any

import asyncpg
import msgspec

from llamalog_service.domain.cycles import cycles_below
from llamalog_service.log.normalise_external_rows import take_in_parents
from llamalog_service.postgres.locks import lock_recompute
from llamalog_service.postgres.statements import sql
from llamalog_service.telemetry.metrics import NULL_METRICS, Corrected, Metrics

Row = Mapping[str, Any]

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

        Rows that another writer put in are taken in first, and what that changes is corrected too.

        Returns:
            How many rows were changed, by the job at which their walk starts.

        Raises:
            UnavailableError: nothing is changed, or the commit's outcome is unknown; repeating is safe.
        """
        async with self._pool.acquire() as connection:
            await connection.execute(sql("recompute_prepare"))
            async with connection.transaction():
                await lock_recompute(connection)
                without_claim = await take_in_parents(connection)
                if not isinstance(scope, Everything):
                    scope = {*scope, *without_claim}
                await _find_lineages(connection, scope)
                await connection.execute(sql("recompute_ends"))
                await _name_cycles(connection)
                deepest = await connection.fetchrow(sql("recompute_deepest"))
                changed = await connection.fetch(sql("recompute_write"))
        self._metrics.corrected(_corrected(changed, deepest))
        return _sums(changed, "start")

    async def settle_untracked(self) -> int:
        """Give rows without job and parent, put in by another writer, their origin; how many there were."""
        settled = 0
        while changed := await self._settle_some_untracked():
            settled += changed
        return settled

    async def _settle_some_untracked(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await lock_recompute(connection)
            await take_in_parents(connection)
            return int(await connection.fetchval(sql("settle_untracked"), _UNTRACKED_AT_ONCE))

    async def unsettled_starts(self, limit: int) -> list[str]:
        """At most `limit` jobs at which unsettled rows start that look out of date."""
        records = await self._pool.fetch(sql("unsettled_starts"), limit)
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


async def _name_cycles(connection: asyncpg.Connection) -> None:
    endless = await connection.fetch(sql("recompute_endless"))
    if endless:
        cycles = cycles_below({record["job"]: record["parent"] for record in endless})
        members = [msgspec.json.encode(members).decode() for members in cycles.values()]
        await connection.execute(sql("recompute_cycles"), list(cycles), members)
