"""The rule of roots, set-wise: read for all rows of a scope, and the recompute that corrects what differs."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

import asyncpg
import msgspec

from llamalog_schemas.commands import GivenJobs, OneRoot, Scope, TimeWindow, WholeTable
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.domain.lineage import cycles_below
from llamalog_service.domain.rows import utc_milliseconds
from llamalog_service.log.corrections import RECOMPUTE, Cause, begin_correction
from llamalog_service.log.row_writes import WRITE_REFUSALS, RowWrite, require_effect, write_rows
from llamalog_service.log.unsettled import UnsettledRows
from llamalog_service.postgres.locks import RECOMPUTE_LOCK
from llamalog_service.postgres.pool import rows_of
from llamalog_service.postgres.statements import Row, sql
from llamalog_service.telemetry.metrics import Corrected, Metrics

LOCK_TIMEOUT_SECONDS = 0.5
"""How long a batch waits for locks of live traffic before it gives way."""

_ANALYZE_FROM = 10_000
_UNTRACKED_AT_ONCE = 5_000
FEW_JOBS: Final = 500
FEW_ROWS: Final = 5_000
"""Up to so many jobs in the lineages, and so many rows that differ, are corrected by one statement."""
_MAX_PASSES = 100
"""Passes after which a recompute has failed: rows committed meanwhile take a few."""
BY_INDEX = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""
"""For some jobs' rows never read the table: its statistics may be those of an hour when it was empty."""
_BY_COST = BY_INDEX.replace("off", "on")

_BEGIN_FEW: Final = (
    "SELECT pg_try_advisory_xact_lock($1), set_config('llamalog.cause', $2, true), "
    "set_config('plan_cache_mode', 'force_generic_plan', true)"
)
"""In a statement of its own, as in `begin_correction`. Any number of jobs is planned for alike, and once."""

MEMORY: Final = "SET LOCAL work_mem = '128MB'"
_JOBS_IN_MEMORY = 1_200_000
"""Of jobs with names of 50 characters so many take 200 of the 256 MB that a hash may take."""

_JOBS_BY_INDEX = 10_000
"""Up to so many jobs are looked up one by one; for more, one pass through the table is cheaper."""


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
    await connection.execute(sql("rule_prepare"))
    rule = await _find_lineages_of(connection, scope)
    await connection.execute("ANALYZE rule_jobs")
    jobs = await connection.fetchval("SELECT count(*) FROM rule_jobs")
    if await _find_ends(connection, jobs) < jobs:
        await resolve_cycles(connection, "rule_endless", "rule_cycles")
    await connection.execute("ANALYZE rule_ends")
    return rule


async def _find_lineages_of(connection: asyncpg.Connection, scope: Scope) -> Rule:
    match scope:
        case WholeTable():
            await connection.execute(sql("rule_jobs_all"))
            return Rule("rule_rows_all", (None, None))
        case TimeWindow():
            window = (utc_milliseconds(scope.from_), utc_milliseconds(scope.to))
            some = await connection.fetch(sql("rule_starts"), *window, _JOBS_BY_INDEX + 1)
            starts = [record["job"] for record in some]
            if len(starts) > _JOBS_BY_INDEX:
                await connection.execute(sql("rule_jobs_all"))
            else:
                await _find_by_index(connection, starts, below=False)
            return Rule("rule_rows_all", window)
        case GivenJobs():
            await _find_by_index(connection, scope.jobs, below=True)
            return Rule("rule_rows_some", ())
        case OneRoot():
            await _find_by_index(connection, [scope.root_job_id], below=True, root=scope.root_job_id)
            return Rule("rule_rows_some", ())


async def _find_by_index(
    connection: asyncpg.Connection, jobs: Iterable[str], *, below: bool, root: str | None = None
) -> None:
    await connection.execute(BY_INDEX)
    await connection.execute(sql("rule_jobs_some"), sorted(set(jobs)), below, root)
    await connection.execute(_BY_COST)


async def _find_ends(connection: asyncpg.Connection, jobs: int) -> int:
    """Walk down from the tops; how many jobs were reached.

    As long as they fit the memory, the jobs are hashed once for all levels, which is faster than
    by an index. What does not fit would be read anew for every level of a deep chain.
    """
    if jobs > _JOBS_IN_MEMORY:
        await connection.execute("CREATE INDEX ON rule_jobs (parent)")
        await connection.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    else:
        await connection.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off")
    reached = await connection.execute(sql("rule_ends"))
    await connection.execute(_BY_COST + "; SET LOCAL enable_nestloop = on")
    return rows_of(reached)


ROOT_DIFFERS: Final = (
    "(l.root_job_id, l.origin, l.cycle_members, l.parent_conflict) "
    "IS DISTINCT FROM (w.root_job_id, w.origin, w.cycle_members, w.parent_conflict)"
)
"""The condition that the root of the row `l` is not that of the selected row `w`."""
ROOTS: Final = RowWrite(
    "root",
    "recompute_rows",
    "recompute_write",
    undone=f"{ROOT_DIFFERS} OR l.revision <= w.revision_now",  # else no reader would take it
    aim="row(w.root_job_id, w.origin, w.cycle_members, w.parent_conflict)::text",
)
"""The write of roots by the rule."""
_UNTRACKED: Final = RowWrite(
    "root",
    "untracked_rows",
    "resolve_untracked",
    undone="l.origin IS NULL OR l.root_job_id IS NOT NULL OR l.revision <= w.revision_now",
)
_CLAIMS: Final = RowWrite(
    "claim", "normalise_rows", "normalise_external_parents", undone="l.parent_job_id IS NOT NULL"
)

_ANY_CLAIMS: Final = """
    SELECT EXISTS (
        SELECT FROM llama_logs l WHERE l.origin IS NULL AND l.is_root_job AND l.parent_job_id IS NOT NULL
    )
"""


class Everything(Enum):
    """The scope of a recompute over all jobs."""

    EVERYTHING = "everything"


class NoProgressError(LlamalogError):
    """A recompute corrects rows that are changed again and again, by a program that is not llamalog."""

    def __init__(self, passes: int, rows: int) -> None:
        super().__init__(
            f"It makes no progress: {passes} passes have corrected {rows} rows, and each found some of "
            "them changed back by another program or by a trigger of the table. What was corrected stays. "
            "Find the program that writes root_job_id or origin into the table, and stop it; the next sweep "
            "of all rows corrects the rest."
        )


class Recomputed(NamedTuple):
    """The result of a recompute.

    Attributes:
        rows_changed: how many rows were changed.
        starts: the jobs at which the walks of these rows start; None if they are too many to name.
        is_complete: False if rows of the scope are left: repeat it.
    """

    rows_changed: int
    starts: Collection[str] | None
    is_complete: bool


class RecomputeStore:
    """Recomputes roots over a pool of its own, whose connections plan every statement anew.

    The work tables hold three jobs in one transaction and a million in the next; a plan kept from
    one would be ruinous for the other. Few jobs, as under load, take one statement without work tables.

    Args:
        metrics: None: corrections are not measured.
        keeping_plans: connections for that statement, which takes longer to be planned than to be executed;
            None: those of `pool`.
        most_jobs: in the lineages that this statement corrects.
        most_rows: that it corrects.
        cause: of what it changes, for the history of roots.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        metrics: Metrics | None = None,
        *,
        keeping_plans: asyncpg.Pool | None = None,
        most_jobs: int = FEW_JOBS,
        most_rows: int = FEW_ROWS,
        cause: Cause = RECOMPUTE,
    ) -> None:
        self._pool = pool
        self._most_jobs = most_jobs
        self._most_rows = most_rows
        self._keeping_plans = keeping_plans or pool
        self._metrics = metrics
        self._cause = cause
        self.unsettled = UnsettledRows(pool)

    def caused_by(self, cause: Cause) -> "RecomputeStore":
        """The same store for corrections of another cause."""
        return RecomputeStore(
            self._pool,
            self._metrics,
            keeping_plans=self._keeping_plans,
            most_jobs=self._most_jobs,
            most_rows=self._most_rows,
            cause=cause,
        )

    async def recompute(self, scope: Collection[str] | Everything) -> Recomputed:
        """Correct the rows of these jobs and of everything below them.

        Rows of other writers are normalised first, and the rows that this affects are corrected too. Rows
        that PostgreSQL refuses are set aside.

        Raises:
            UnavailableError: nothing is changed, or the commit's outcome is unknown; repeating is safe.
        """
        if not isinstance(scope, Everything) and len(scope) <= self._most_jobs:
            recomputed = await self._recompute_few(scope)
            if recomputed is not None:
                return recomputed
        return await self._recompute_in_work_tables(scope)

    async def _recompute_few(self, scope: Collection[str]) -> Recomputed | None:
        """Correct few rows by one statement; None, and nothing is written, if it takes more than that.

        Another correction is not waited for here, since these connections may not be busy for long.
        """
        try:
            async with self._keeping_plans.acquire() as connection, connection.transaction():
                if not await connection.fetchval(_BEGIN_FEW, RECOMPUTE_LOCK, self._cause.encoded()):
                    return None
                records = await connection.fetch(
                    sql("recompute_few"), list(scope), self._most_jobs, self._most_rows
                )
                if not records[0]["is_few"]:
                    return None
                require_effect(records)
        except WRITE_REFUSALS:
            return None
        deepest = {"job": records[0]["deepest"], "depth": records[0]["depth"]}
        return self._measured(records, deepest if deepest["job"] is not None else None, is_complete=True)

    async def _recompute_in_work_tables(self, scope: Collection[str] | Everything) -> Recomputed:
        async with self._pool.acquire() as connection:
            await connection.execute(sql("recompute_prepare"))
            async with connection.transaction():
                await begin_correction(connection, self._cause)
                without_claim = await normalise_external_parents(connection)
                if not isinstance(scope, Everything):
                    scope = {*scope, *without_claim}
                await _find_lineages(connection, scope)
                await connection.execute(sql("recompute_ends"))
                await resolve_cycles(connection, "recompute_endless", "recompute_cycles")
                deepest = await connection.fetchrow(sql("recompute_deepest"))
                written = await write_rows(connection, ROOTS)
        return self._measured(written.records, deepest, is_complete=written.is_complete)

    def _measured(self, records: Sequence[Row], deepest: Row | None, *, is_complete: bool) -> Recomputed:
        changed = [record for record in records if record["changed"] is not None]
        if self._metrics is not None:
            self._metrics.corrected(_corrected(changed, deepest))
        starts = {record["start"] for record in changed}
        rows_changed = sum(record["changed"] for record in changed)
        return Recomputed(rows_changed, None if None in starts else starts, is_complete)

    async def resolve_untracked(self) -> int:
        """Give rows without job and parent, put in by another writer, their origin; how many there were."""
        resolved = 0
        while True:
            changed, refused = await self._resolve_some_untracked()
            resolved += changed
            if not changed and not refused:
                return resolved

    async def _resolve_some_untracked(self) -> tuple[int, int]:
        async with self._pool.acquire() as connection, connection.transaction():
            await begin_correction(connection, self._cause)
            await normalise_external_parents(connection)
            written = await write_rows(connection, _UNTRACKED, _UNTRACKED_AT_ONCE)
        return sum(record["changed"] for record in written.records), len(written.refused)

    async def retry_refused(self) -> None:
        """Let every row that was set aside be tried again."""
        await self._pool.execute(sql("refused_rows_retry"))


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
    if rows_of(status) >= _ANALYZE_FROM:
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


class RecomputeResult(NamedTuple):
    """The result of a converged recompute: rows changed, and passes, the last of which changed nothing."""

    rows_changed: int
    passes: int


async def recompute_until_converged(
    store: RecomputeStore, scope: Collection[str] | Everything
) -> RecomputeResult:
    """Correct a scope, then the jobs below each correction, until a pass changes nothing.

    Where a pass corrects too many rows for their jobs to be named, the next one has its whole scope again.

    A row may be committed below a correction while the correction is under way, resolved by what was
    true before it. Either its writer verifies after the correction's commit, or the next pass,
    which comes after it too, finds the row.

    Raises:
        NoProgressError: pass after pass finds corrected rows changed.
    """
    rows_changed = passes = 0
    while scope:
        if passes == _MAX_PASSES:
            raise NoProgressError(passes, rows_changed)
        changed, starts, is_complete = await store.recompute(scope)
        rows_changed += changed
        if is_complete:
            passes += 1
            scope = scope if starts is None else starts
    return RecomputeResult(rows_changed, passes)


async def normalise_external_parents(connection: asyncpg.Connection) -> list[str]:
    """Clear the parents of rows that call themselves root jobs; the first value kept of a row stays kept.

    Cheap where there are none: a partial index leads to them.

    Returns:
        The jobs that lost a claim by it: they and what is below them are to be recomputed.
    """
    if not await connection.fetchval(_ANY_CLAIMS):
        return []
    written = await write_rows(connection, _CLAIMS)
    return [record["job"] for record in written.records if record["job"] is not None]
