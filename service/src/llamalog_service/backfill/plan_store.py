"""The plan of a backfill: what the rule gives every row of a scope, read from one snapshot."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final

import asyncpg

from llamalog_schemas.backfills import NamedCycle, RootCounts
from llamalog_schemas.commands import Scope
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.log.recompute import MEMORY, Rule, prepare_rule
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import Row, sql

CLASSES: Final = {
    Origin.ROOT: "roots",
    Origin.RESOLVED: "children",
    Origin.UNTRACKED: "untracked",
    Origin.ADOPTED: "adopted",
    Origin.CYCLE: "cycles",
    Origin.PENDING: "pending",
    Origin.DECLARED: "declared",
}
"""The class that rows of an origin are counted in."""

_KEEP = """
    INSERT INTO backfill_plan (
        position, row_id, root_job_id, origin, cycle_members, parent_conflict, revision, differs, was_settled,
        needs_normalising
    )
    SELECT row_number() OVER (),
           row_id, root_job_id, origin, cycle_members, parent_conflict, revision, differs,
           was_settled, needs_normalising
    FROM (RULE) ruled
"""
_DIFFERING = "SELECT DISTINCT start FROM (RULE) ruled WHERE differs"
_OPEN_TOPS = "SELECT DISTINCT top FROM (RULE) ruled WHERE origin = 'PENDING'"


class PlanDoesNotAddUpError(LlamalogError):
    """A backfill's plan has not exactly the rows of its scope."""


class PlanStore:
    """Plans over a pool whose connections plan every statement anew; one plan is kept at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def make(self, scope: Scope, *, adopt: bool) -> tuple[RootCounts, RootCounts]:
        """Plan a scope in place of the plan that was kept, if any; nothing else is changed.

        Args:
            adopt: count tops never logged as adopted, unless their adoption was revoked.

        Returns:
            The counts of all planned rows, and of those that are as planned already.

        Raises:
            PlanDoesNotAddUpError: it has more or fewer rows than the scope.
            UnavailableError: the plan that was kept before still is.
        """
        async with self._pool.acquire() as connection:
            async with self._snapshot(connection):
                await connection.execute("TRUNCATE backfill_plan")
                rule = await prepare_rule(connection, scope)
                if adopt:
                    await _adopt(connection, rule)
                status = await connection.execute(rule.over(_KEEP), *rule.values)
                if rule.values:
                    total = await connection.fetchval(sql("plan_total"), *rule.values)
                    _check_sum(rows_of(status), total)
            await connection.execute("ANALYZE backfill_plan")
            counted = await connection.fetch(sql("plan_counts"))
        return _counts(counted, "rows", "conflicts"), _counts(counted, "right", "right_conflicts")

    async def overrules(self) -> bool:
        """Whether the plan corrects rows that had an origin before."""
        return bool(await self._pool.fetchval(sql("plan_overrules")))

    async def late_starts(self, since: datetime) -> list[str]:
        """The jobs of rows that came after `since`, are not planned, and wait for a top never seen."""
        return [record["job"] for record in await self._pool.fetch(sql("plan_late_starts"), since)]

    async def differing_starts(self, scope: Scope) -> list[str | None]:
        """The jobs at which rows of a scope start that are not as the rule gives them; None: at no job."""
        async with self._pool.acquire() as connection, self._snapshot(connection):
            rule = await prepare_rule(connection, scope)
            found = await connection.fetch(rule.over(_DIFFERING), *rule.values)
        return [record["start"] for record in found]

    async def tops_to_adopt(self) -> list[str]:
        """The tops that count as adopted in the plan."""
        return [record["job"] for record in await self._pool.fetch(sql("backfill_adopted"))]

    async def missing_tops(self) -> list[str]:
        """Those of them that were neither adopted before nor had their adoption revoked since."""
        return [record["job"] for record in await self._pool.fetch(sql("backfill_missing_tops"))]

    async def tops_revoked(self) -> list[str]:
        """Those of them whose adoption was revoked since."""
        return [record["job"] for record in await self._pool.fetch(sql("backfill_revoked"))]

    async def cycles(self) -> list[NamedCycle]:
        """The cycles among the planned rows, those with the most rows first."""
        found = await self._pool.fetch(sql("backfill_cycles"))
        return [NamedCycle(members=tuple(record["members"]), rows=record["rows"]) for record in found]

    async def rows(self, name: str) -> Sequence[Row]:
        """The rows of a named query over the plan that takes no values."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(MEMORY)
            records: Sequence[Row] = await connection.fetch(sql(name))
        return records

    async def clear(self) -> None:
        """Forget the plan."""
        await self._pool.execute("TRUNCATE backfill_plan")

    def _snapshot(self, connection: asyncpg.Connection) -> AbstractAsyncContextManager[Any]:
        """All statements see the rows that were recorded when the first of them began."""
        snapshot: AbstractAsyncContextManager[Any] = connection.transaction(isolation="repeatable_read")
        return snapshot


async def _adopt(connection: asyncpg.Connection, rule: Rule) -> None:
    """Count tops of pending rows as adopted, but for those of which an operator took that back."""
    open_tops = await connection.fetch(rule.over(_OPEN_TOPS), *rule.values)
    tops = await connection.fetch(sql("plan_adoptable"), [record["top"] for record in open_tops])
    if tops:
        await connection.execute(sql("plan_adopt"), [record["job"] for record in tops])
        await connection.execute("ANALYZE rule_ends")


def _check_sum(planned: int, total: int) -> None:
    if planned != total:
        raise PlanDoesNotAddUpError(
            f"The plan has {planned} rows, the scope {total}: a row was planned twice or not at all. "
            "Nothing was changed. This is an error in llamalog; please report it with the numbers."
        )


def _counts(records: Iterable[Row], rows: str, conflicts: str) -> RootCounts:
    found: dict[str, int] = {"conflicts": 0}
    for record in records:
        found[CLASSES[Origin(record["origin"])]] = record[rows]
        found["conflicts"] += record[conflicts]
    return RootCounts(**found)
