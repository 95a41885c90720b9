"""What no command names, the sweeps find."""

import asyncio
from itertools import count
from uuid import UUID

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from harness.writers import KeptMessages, Recomputer, Writer
from histories import chains, event, override
from llamalog_schemas.commands import GivenJobs, OneRoot, WholeTable
from llamalog_schemas.events import EntityEvent, Event
from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.backfill.worker import sweep_task
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.log import unsettled
from llamalog_service.log.recompute import RecomputeStore


@pytest.fixture
def sweep(pool: asyncpg.Pool) -> Sweep:
    return Sweep(RecomputeStore(pool), every=1, full_every=1000, clock=count().__next__)


async def write_one_by_one(pool: asyncpg.Pool, events: list[EntityEvent]) -> KeptMessages:
    """The commands are lost."""
    kept = KeptMessages()
    writer = Writer(pool, kept)
    for one in events:
        await writer.write(one)
    assert kept.take_commands()
    return kept


async def test_the_cheap_sweep_finds_late_parents_whose_command_was_lost(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    events = chains(30)[::-1]
    kept = await write_one_by_one(pool, events)
    assert await sweep.sweep_unsettled() == 20
    stored = await stored_rows(pool)
    assert differences(stored, events) == []
    await Recomputer(pool, kept).publish_corrections()
    assert kept.provenance == as_stored(stored)
    assert await sweep.sweep_unsettled() == 0


@pytest.mark.parametrize("state", ["running", "paused"])
async def test_a_sweep_waits_for_a_running_backfill_and_is_done_at_its_end(
    pool: asyncpg.Pool, state: str
) -> None:
    events = chains(30)[::-1]
    await write_one_by_one(pool, events)
    task = sweep_task(pool, every=0.0, full_every=1000)
    await pool.execute(
        "INSERT INTO backfill_runs (id, kind, jobs, reason, status, request) "
        "VALUES ($1, 'backfill-roots', '{}', 'requested', $2, '{}')",
        UUID(int=1),
        state,
    )
    await task.do()
    assert (differences(await stored_rows(pool), events) == []) == (state == "paused")
    await pool.execute("UPDATE backfill_runs SET status = 'completed'")
    await task.do()
    assert differences(await stored_rows(pool), events) == []


async def test_the_cheap_sweep_looks_at_some_waiting_rows_at_a_time_and_at_all_of_them_in_turn(
    pool: asyncpg.Pool, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsettled, "_UNSETTLED_AT_ONCE", 7)
    waiting = [event(number, f"lost-{number}", f"never seen-{number}") for number in range(100, 150)]
    events = [*waiting, *chains(30)[::-1]]
    await write_one_by_one(pool, events)
    corrected = [await sweep.sweep_unsettled() for _ in range(len(events) // 6 + 1)]
    assert sum(corrected) == 20
    assert len([rows for rows in corrected if rows]) > 1
    assert differences(await stored_rows(pool), events) == []


async def test_a_row_of_another_writer_does_not_wait_for_the_turn_of_its_page(
    pool: asyncpg.Pool, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsettled, "_UNSETTLED_AT_ONCE", 7)
    waiting = [event(number, f"lost-{number}", f"never seen-{number}") for number in range(100, 150)]
    await Writer(pool, KeptMessages()).write(*waiting, event(900, "root"))
    await pool.execute("UPDATE llama_logs SET origin = NULL, root_job_id = NULL WHERE id = $1", UUID(int=900))
    assert await sweep.sweep_unsettled() == 1


async def test_the_sweep_of_everything_finds_a_parent_that_a_root_was_given(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    events = [*chains(3), event(5, "above"), event(4, "root-1", "above")]
    await write_one_by_one(pool, events)
    assert await sweep.sweep_unsettled() == 0
    assert await sweep.sweep_everything() == 3
    assert differences(await stored_rows(pool), events) == []


async def test_rows_that_another_writer_put_in_without_an_origin_are_given_one(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    events = [*chains(3), event(4)]
    await Writer(pool, KeptMessages()).write(*events)
    right = {row_id: row.root for row_id, row in (await stored_rows(pool)).items()}
    await pool.execute("UPDATE llama_logs SET origin = NULL, root_job_id = NULL")
    assert await sweep.sweep_unsettled() == 4
    stored = await stored_rows(pool)
    assert {row_id: row.root for row_id, row in stored.items()} == right
    assert stored[UUID(int=4)].revision == 2


async def test_the_cheap_sweep_finds_rows_below_a_top_that_was_adopted_and_whose_command_was_lost(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    """As a backfill leaves them that is cancelled between its overrides and its last batch."""
    events: list[Event] = [
        event(1, "child", "never-seen"),
        event(2, "grandchild", "child"),
        event(3, None, "never-seen"),
        event(4, "waits", "adopted-once"),
        event(5, "below-seen", "seen"),
        event(6, "seen", "elsewhere"),
    ]
    overrides = [
        override(11, "never-seen"),
        override(12, "adopted-once"),
        override(13, "adopted-once", adopted=False),
        override(14, "seen"),
    ]
    writer = Writer(pool, KeptMessages())
    await writer.write(*events)
    await writer.write(*overrides)
    assert await sweep.sweep_unsettled() == 3
    assert differences(await stored_rows(pool), [*events, *overrides]) == []
    assert await sweep.sweep_unsettled() == 0


@pytest.mark.parametrize("flag", ["true", "false", "NULL"])
async def test_sweep_and_plan_agree_for_any_root_flag_of_a_foreign_row(
    pool: asyncpg.Pool, sweep: Sweep, flag: str
) -> None:
    """An application's own table may allow NULL there, which is no answer."""
    await pool.execute("ALTER TABLE llama_logs ALTER COLUMN is_root_job DROP NOT NULL")
    await pool.execute(FOREIGN_ROW.format(flag=flag), UUID(int=1), "child", "top")
    await pool.execute(FOREIGN_ROW.format(flag=flag), UUID(int=2), "top", None)
    await pool.execute(FOREIGN_ROW.format(flag=flag), UUID(int=3), None, "top")
    planned: dict[UUID, str] = {}
    for scope in (WholeTable(), OneRoot(root_job_id="top"), GivenJobs(jobs=("top", "child"))):
        await PlanStore(pool).make(scope, adopt=False)
        for row_id, origin in await pool.fetch("SELECT row_id, origin::text FROM backfill_plan"):
            assert planned.setdefault(row_id, origin) == origin
    await sweep.sweep_unsettled()
    swept = {row_id: row.root.origin for row_id, row in (await stored_rows(pool)).items()}
    assert swept == planned
    right = "ROOT" if flag == "true" else "RESOLVED"
    assert swept[UUID(int=1)] == right


FOREIGN_ROW = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job)
    VALUES ($1, 'album:add', 'CREATED', 'SUCCESS', $2, $3, {flag})
"""
ROOT_JOB_WITH_PARENT = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, root_job_id, is_root_job)
    VALUES ($1, 'album:add', 'CREATED', 'SUCCESS', $2, 'above', 'guessed', true)
"""


async def test_a_foreign_root_job_makes_no_claim_and_its_own_values_are_kept_aside(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    await pool.execute(ROOT_JOB_WITH_PARENT, UUID(int=100), "root-0")
    events = chains(3)
    await Writer(pool, KeptMessages()).write(*events)
    await sweep.sweep_unsettled()

    stored = await stored_rows(pool)
    foreign = stored.pop(UUID(int=100))
    assert (foreign.content.parent_job_id, foreign.root.root_job_id) == (None, "root-0")
    assert foreign.root.origin == "ROOT"
    assert differences(stored, events) == []
    kept = await pool.fetch("SELECT row_id, parent_job_id, root_job_id FROM legacy_values")
    assert [tuple(row) for row in kept] == [(UUID(int=100), "above", "guessed")]
    assert await sweep.sweep_everything() == 0


async def test_a_foreign_row_is_normalised_by_the_first_repair(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(ROOT_JOB_WITH_PARENT, UUID(int=100), "foreign")
    await RecomputeStore(pool).recompute({"another job"})
    row = (await stored_rows(pool))[UUID(int=100)]
    assert (row.content.parent_job_id, row.root.root_job_id, row.revision) == (None, "foreign", 2)


async def test_a_foreign_root_job_without_a_job_ends_untracked(pool: asyncpg.Pool, sweep: Sweep) -> None:
    await pool.execute(ROOT_JOB_WITH_PARENT, UUID(int=100), None)
    assert await sweep.sweep_unsettled() == 1
    row = (await stored_rows(pool))[UUID(int=100)]
    assert (row.content.parent_job_id, row.root.root_job_id, row.root.origin) == (None, None, "UNTRACKED")
    kept = await pool.fetchrow("SELECT parent_job_id, root_job_id FROM legacy_values")
    assert tuple(kept or ()) == ("above", "guessed")


async def test_the_first_value_kept_of_a_row_stays_kept(pool: asyncpg.Pool, sweep: Sweep) -> None:
    await pool.execute(ROOT_JOB_WITH_PARENT, UUID(int=100), "root-0")
    await sweep.sweep_unsettled()
    await pool.execute("UPDATE llama_logs SET origin = NULL, parent_job_id = 'later', root_job_id = 'other'")
    await sweep.sweep_unsettled()
    kept = await pool.fetchrow("SELECT parent_job_id, root_job_id FROM legacy_values")
    assert tuple(kept or ()) == ("above", "guessed")
    assert (await stored_rows(pool))[UUID(int=100)].content.parent_job_id is None


@pytest.mark.parametrize("reason", [UnavailableError("away"), asyncio.CancelledError()])
async def test_a_sweep_that_was_interrupted_is_due_again(pool: asyncpg.Pool, reason: BaseException) -> None:
    class Interrupted(Sweep):
        swept = 0

        async def sweep_everything(self) -> int:
            self.swept += 1
            if self.swept == 1:
                raise reason
            return await super().sweep_everything()

    now = 0.0
    sweep = Interrupted(RecomputeStore(pool), every=10, full_every=100, clock=lambda: now)
    now = 100.0
    with pytest.raises(type(reason)):
        await sweep.sweep_if_due()
    assert sweep.is_due
    await sweep.sweep_if_due()
    assert not sweep.is_due
    assert sweep.swept == 2
