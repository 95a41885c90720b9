"""The one repair over everything gives legacy rows the roots that the oracle finds."""

from collections.abc import Sequence
from time import monotonic

import asyncpg

from harness.legacy.adversarial import adversarial_rows, scrambles, wide_rows
from harness.legacy.database import differences, insert_rows, read_kept_aside, read_outcome
from harness.legacy.oracle import adopted, kept_aside, missing, taken_in
from harness.legacy.rows import Row, restricted
from harness.legacy.schemas import StartingPoint
from harness.log_table import empty_tables
from llamalog_schemas.backfills import RootCounts
from llamalog_schemas.commands import OneRoot
from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.log.recompute import Everything, Recomputed, RecomputeStore

_OF_ROOTS = (
    "id",
    "operation",
    "status",
    "category",
    "created_at",
    "job_id",
    "parent_job_id",
    "root_job_id",
    "is_root_job",
)
_ADOPT = """
    INSERT INTO root_overrides (id, job_id, adopted, reason, requested_by, overridden_at)
    SELECT gen_random_uuid(), job, true, 'a test', 'tests', now() FROM unnest($1::text[]) job
"""


async def repair(pool: asyncpg.Pool) -> int:
    """Correct every row; how many rows were changed."""
    sweep = Sweep(RecomputeStore(pool), every=1, full_every=1, clock=lambda: 0.0)
    return await sweep.sweep_everything()


async def load(database_url: str, rows: Sequence[Row]) -> None:
    """Write rows into the migrated table, as the application does that goes on writing itself."""
    await insert_rows(database_url, "llama_logs", restricted(rows, _OF_ROOTS))


async def test_every_difficulty_at_once_ends_as_in_the_oracle(database_url: str, pool: asyncpg.Pool) -> None:
    rows = adversarial_rows(StartingPoint.ROOTS)
    await load(database_url, rows)
    assert await repair(pool) == len(rows)
    assert differences(await read_outcome(database_url), adopted(rows, missing_tops=False)) == []
    assert differences(await read_kept_aside(database_url), kept_aside(rows)) == []

    await pool.execute(_ADOPT, list(missing(taken_in(rows).values(), {})))
    assert await repair(pool) > 1000
    assert differences(await read_outcome(database_url), adopted(rows)) == []
    assert await repair(pool) == 0


async def test_twenty_thousand_rows_under_one_root_get_it_and_later_looks_take_no_longer(
    database_url: str, pool: asyncpg.Pool
) -> None:
    rows = wide_rows(StartingPoint.ROOTS, 20_000)
    await load(database_url, rows)
    store = RecomputeStore(pool)
    started = monotonic()
    assert await store.recompute(Everything.EVERYTHING) == Recomputed(len(rows), None, is_complete=True)
    corrected = monotonic()
    assert await store.recompute({"wide-0"}) == Recomputed(0, set(), is_complete=True)
    looked_again = monotonic()
    planned, right = await PlanStore(pool).make(OneRoot(root_job_id="wide-0"), adopt=False)
    assert planned == right == RootCounts(roots=1, children=len(rows) - 1)
    took = corrected - started, looked_again - corrected, monotonic() - looked_again
    assert max(took[1:]) < 5 * took[0], took
    assert differences(await read_outcome(database_url), adopted(rows)) == []


async def test_small_tables_at_random_end_as_in_the_oracle(database_url: str, pool: asyncpg.Pool) -> None:
    for rows in scrambles(50):
        await empty_tables(pool)
        await load(database_url, rows)
        await repair(pool)
        assert differences(await read_outcome(database_url), adopted(rows, missing_tops=False)) == []
        await pool.execute(_ADOPT, list(missing(taken_in(rows).values(), {})))
        await repair(pool)
        assert differences(await read_outcome(database_url), adopted(rows)) == []
