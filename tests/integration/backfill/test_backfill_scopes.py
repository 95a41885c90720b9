"""Backfills of a part of the log: a window of time, given jobs, one root."""

from datetime import timedelta

import asyncpg

from harness.backfills import Backfills
from harness.log_table import differences, stored_rows
from histories import NOON, override
from llamalog_schemas.backfills import RootCounts
from llamalog_schemas.commands import GivenJobs, MissingParent, OneRoot, TimeWindow
from llamalog_schemas.events import Event


async def rows_with_an_origin(pool: asyncpg.Pool) -> set[int]:
    return {
        record["id"].int for record in await pool.fetch("SELECT id FROM llama_logs WHERE origin IS NOT NULL")
    }


async def test_a_window_plans_the_rows_created_in_it_with_any_roots(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    window = TimeWindow(from_=NOON + timedelta(milliseconds=2), to=NOON + timedelta(milliseconds=5))
    done = await backfills.do(scope=window)
    assert done.plan == RootCounts(roots=1, children=2)
    assert await rows_with_an_origin(pool) == {2, 3, 4}


async def test_given_jobs_are_planned_with_everything_below_them(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    done = await backfills.do(scope=GivenJobs(jobs=("child-1", "never-seen", "unknown")))
    assert done.plan == RootCounts(children=2, pending=3)
    assert await rows_with_an_origin(pool) == {2, 3, 110, 111, 112}


async def test_a_root_is_planned_with_the_rows_that_have_it_and_those_below_it(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    await pool.execute("UPDATE llama_logs SET root_job_id = 'root-1' WHERE job_id = 'child-7'")
    done = await backfills.do(scope=OneRoot(root_job_id="root-1"))
    assert done.plan == RootCounts(roots=1, children=6, conflicts=1)
    assert await rows_with_an_origin(pool) == {1, 2, 3, 8, 9, 140, 141}


async def test_adopting_within_a_scope_corrects_what_hangs_off_the_same_top_outside_it(
    pool: asyncpg.Pool, backfills: Backfills, log: list[Event]
) -> None:
    await backfills.do()
    done = await backfills.do(
        scope=TimeWindow(from_=NOON + timedelta(milliseconds=110), to=NOON + timedelta(milliseconds=111)),
        missing_parent=MissingParent.ADOPT,
    )
    assert (done.set, done.set_by_verification) == (1, 2)
    assert differences(await stored_rows(pool), [*log, override(201, "never-seen")]) == []
