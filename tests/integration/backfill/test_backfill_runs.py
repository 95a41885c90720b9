"""Backfills as runs: requested once, in turn, paused, resumed, cancelled, interrupted."""

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.backfills import Backfills, forget_roots, request, start
from harness.log_table import differences, stored_rows
from harness.waiting import TIMEOUT, eventually
from harness.writers import KeptMessages, Writer
from histories import chains, event
from llamalog_schemas.backfills import BackfillPhase, RunStatus
from llamalog_schemas.commands import CancelBackfill, MissingParent, PauseBackfill, ResumeBackfill
from llamalog_schemas.events import EntityEvent
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import read_backfills


@pytest.fixture
async def log(pool: asyncpg.Pool) -> list[EntityEvent]:
    events = chains(60)
    await Writer(pool, KeptMessages()).write(*events)
    await forget_roots(pool)
    return events


async def pause_before(backfills: Backfills, run: UUID, *, batch: int) -> None:
    """Do the run up to that batch, the first being 0."""

    async def pause(number: int) -> None:
        if number == batch:
            await backfills.pause(run)

    backfills.batches.before = pause
    await backfills.runner.run_next()
    assert (await backfills.look(run)).status is RunStatus.PAUSED
    backfills.batches.before = None


async def test_a_redelivered_command_is_the_same_run(backfills: Backfills) -> None:
    command = start()
    await backfills.store.apply([command, command])
    await backfills.runner.run_next()
    await backfills.store.apply([command])
    assert await backfills.runner.run_next() is False
    assert [run.status for run in await read_backfills(Reader(backfills.pool), 10)] == [RunStatus.COMPLETED]


async def test_backfills_are_done_in_the_order_in_which_they_were_requested(backfills: Backfills) -> None:
    first, second = await backfills.request(), await backfills.request()
    await backfills.runner.run_next()
    assert (await backfills.look(first)).status is RunStatus.COMPLETED
    assert (await backfills.look(second)).status is RunStatus.QUEUED
    assert [run.run for run in await read_backfills(Reader(backfills.pool), 10)] == [second, first]


async def test_a_queued_backfill_can_be_paused_and_resumed(backfills: Backfills) -> None:
    run = await backfills.request()
    await backfills.pause(run)
    assert (await backfills.look(run)).status is RunStatus.PAUSED
    assert await backfills.runner.run_next() is False
    await backfills.resume(run)
    assert await backfills.runner.run_next() is True
    assert (await backfills.look(run)).status is RunStatus.COMPLETED


async def test_a_queued_backfill_that_is_paused_lets_the_next_one_pass(backfills: Backfills) -> None:
    first, second = await backfills.request(), await backfills.request()
    await backfills.pause(first)
    await backfills.runner.run_next()
    assert (await backfills.look(second)).status is RunStatus.COMPLETED


async def test_a_queued_backfill_can_be_cancelled(backfills: Backfills, log: list[EntityEvent]) -> None:
    before = await backfills.log()
    run = await backfills.request()
    await backfills.cancel(run)
    found = await backfills.look(run)
    assert found.status is RunStatus.CANCELLED
    assert found.finished_at is not None
    assert await backfills.runner.run_next() is False
    assert await backfills.log() == before


async def test_a_pause_takes_effect_at_the_next_batch_and_the_run_goes_on_from_there(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request(batch_size=10)

    await pause_before(backfills, run, batch=2)
    paused = await backfills.look(run)
    assert (paused.status, paused.phase, paused.set) == (RunStatus.PAUSED, BackfillPhase.WRITING, 20)

    await backfills.resume(run)
    await backfills.runner.run_next()
    done = await backfills.look(run)
    assert (done.status, done.set, done.batches) == (RunStatus.COMPLETED, 60, 6)
    assert differences(await stored_rows(pool), log) == []


async def test_while_a_backfill_that_was_begun_is_paused_the_next_one_waits(
    backfills: Backfills, log: list[EntityEvent]
) -> None:
    first, second = await backfills.request(batch_size=10), await backfills.request()
    await pause_before(backfills, first, batch=0)
    assert await backfills.runner.run_next() is False
    await backfills.cancel(first)
    assert await backfills.runner.run_next() is True
    assert await backfills.runner.run_next() is True
    assert (await backfills.look(second)).status is RunStatus.COMPLETED


async def test_a_backfill_that_is_cancelled_while_paused_reports_what_it_had_written(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request(batch_size=10)

    await pause_before(backfills, run, batch=2)
    await backfills.cancel(run)
    await backfills.pause(run)
    await backfills.runner.run_next()
    ended = await backfills.look(run)
    assert (ended.status, ended.set) == (RunStatus.CANCELLED, 20)
    assert ended.report is not None
    assert (ended.report.rows, ended.report.set_, ended.report.end) == (60, 20, None)
    assert await pool.fetch("SELECT FROM backfill_plan LIMIT 1") == []


async def test_a_backfill_that_is_cancelled_while_paused_before_its_plan_ends_at_once(
    backfills: Backfills,
) -> None:
    run = await backfills.request()
    await backfills.pause(run)
    await backfills.cancel(run)
    assert (await backfills.look(run)).status is RunStatus.CANCELLED
    assert await backfills.runner.run_next() is False


async def test_a_resume_takes_back_a_pause_that_has_not_taken_effect(
    backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request(batch_size=10)

    async def waver(batch: int) -> None:
        if batch == 2:
            await backfills.pause(run)
            await backfills.resume(run)

    backfills.batches.before = waver
    await backfills.runner.run_next()
    assert (await backfills.look(run)).status is RunStatus.COMPLETED


async def test_a_redelivered_pause_does_not_pause_a_run_that_was_resumed(
    backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request(batch_size=10)
    pause = request(PauseBackfill, run)
    await backfills.store.apply([pause])
    await backfills.resume(run)
    await backfills.store.apply([pause])
    await backfills.runner.run_next()
    assert (await backfills.look(run)).status is RunStatus.COMPLETED


async def test_a_cancel_takes_effect_at_the_next_batch_and_what_was_written_stays(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request(batch_size=10)

    async def cancel(batch: int) -> None:
        if batch == 3:
            await backfills.cancel(run)
            await backfills.pause(run)
            await backfills.resume(run)

    backfills.batches.before = cancel
    await backfills.runner.run_next()
    ended = await backfills.look(run)
    assert (ended.status, ended.set) == (RunStatus.CANCELLED, 30)
    assert ended.report is not None
    assert (ended.report.rows, ended.report.set_, ended.report.end) == (60, 30, None)
    assert await pool.fetchval("SELECT count(*) FROM llama_logs WHERE origin IS NOT NULL") == 30
    assert await backfills.runner.run_next() is False


async def test_a_cancel_that_comes_before_the_first_batch_leaves_no_override(
    pool: asyncpg.Pool, backfills: Backfills
) -> None:
    await Writer(pool, KeptMessages()).write(event(1, "waits", "missing"))
    run = await backfills.request(missing_parent=MissingParent.ADOPT)
    backfills.plans.after = lambda: backfills.cancel(run)
    await backfills.runner.run_next()
    assert (await backfills.look(run)).status is RunStatus.CANCELLED
    assert await pool.fetch("SELECT FROM root_overrides") == []


async def test_a_cancel_breaks_off_the_planning(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE backfill_plan")  # planning waits, as if it took long
        running = asyncio.create_task(backfills.runner.run_next())

        async def is_planning() -> bool:
            return (await backfills.look(run)).phase is BackfillPhase.PLANNING

        await eventually(is_planning)
        await backfills.cancel(run)
        await asyncio.wait_for(running, TIMEOUT)
    ended = await backfills.look(run)
    assert (ended.status, ended.plan, ended.report) == (RunStatus.CANCELLED, None, None)


async def test_requests_about_a_run_that_has_ended_or_is_unknown_do_nothing(
    backfills: Backfills, log: list[EntityEvent]
) -> None:
    done = await backfills.do()
    unknown = uuid4()
    for kind in (PauseBackfill, ResumeBackfill, CancelBackfill):
        await backfills.store.apply([request(kind, done.id), request(kind, unknown)])
    assert await backfills.look(done.id) == done
    assert await backfills.store.find(unknown) is None


@pytest.mark.parametrize("batch", [0, 1, 3, 5])
async def test_a_run_that_was_interrupted_between_batches_goes_on_where_it_was(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent], batch: int
) -> None:
    run = await backfills.request(batch_size=10)

    async def crash(number: int) -> None:
        if number == batch:
            raise asyncio.CancelledError

    backfills.batches.before = crash
    with suppress(asyncio.CancelledError):
        await backfills.runner.run_next()
    assert (await backfills.look(run)).set == batch * 10

    again = Backfills(pool)
    await again.runner.run_next()
    done = await again.look(run)
    assert (done.status, done.set, done.batches) == (RunStatus.COMPLETED, 60, 6)
    assert {row.revision for row in (await stored_rows(pool)).values()} == {2}
    assert differences(await stored_rows(pool), log) == []


@pytest.mark.parametrize(
    "phase", [BackfillPhase.PLANNING, BackfillPhase.LOOKING_AGAIN, BackfillPhase.RECONCILING]
)
async def test_a_run_that_was_interrupted_in_any_phase_comes_to_the_same_end(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent], phase: BackfillPhase
) -> None:
    run = await backfills.request(batch_size=10)

    async def crash(_: UUID) -> None:
        raise asyncio.CancelledError

    backfills.store.at[phase] = crash
    with suppress(asyncio.CancelledError):
        await backfills.runner.run_next()
    assert (await backfills.look(run)).phase is phase

    again = Backfills(pool)
    await again.runner.run_next()
    done = await again.look(run)
    assert (done.status, done.set) == (RunStatus.COMPLETED, 60)
    assert done.report is not None
    assert done.report.end == done.report.plan
    assert differences(await stored_rows(pool), log) == []


async def test_a_run_that_was_to_be_cancelled_when_its_worker_died_is_cancelled_by_the_next(
    pool: asyncpg.Pool, backfills: Backfills, log: list[EntityEvent]
) -> None:
    run = await backfills.request(batch_size=10)

    async def cancel_and_crash(number: int) -> None:
        if number == 2:
            await backfills.cancel(run)
            raise asyncio.CancelledError

    backfills.batches.before = cancel_and_crash
    with suppress(asyncio.CancelledError):
        await backfills.runner.run_next()
    again = Backfills(pool)
    await again.runner.run_next()
    assert ((await again.look(run)).status, (await again.look(run)).set) == (RunStatus.CANCELLED, 20)
