"""Every change of a row's root after its first recording is kept with its cause, for as long as is set."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.backfills import Backfills
from harness.beliefs import broken_chains, take_snapshot, wrong_beliefs
from harness.log_table import empty_tables
from harness.rebuilding import Installation
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, histories, override
from llamalog_schemas.commands import MissingParent
from llamalog_schemas.events import Event
from llamalog_service.backfill.recomputes import RecomputeQueue, RecomputeRunner, Sweep
from llamalog_service.log.history import RootHistory
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool

_CHANGES = """
    SELECT h.revision, h.old_root_job_id, h.old_origin::text, h.root_job_id, h.origin::text,
           c.cause ->> 'kind' AS kind, c.cause -> 'runs' AS runs
    FROM root_history h JOIN root_corrections c ON c.id = h.correction
    WHERE h.row_id = $1 ORDER BY h.revision
"""
_LEGACY = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, root_job_id)
    VALUES ($1, 'track:created:test', 'CREATED', 'SUCCESS', $2, $3, $4)
"""


async def changes(pool: asyncpg.Pool, number: int) -> list[dict[str, Any]]:
    return [dict(record) for record in await pool.fetch(_CHANGES, UUID(int=number))]


async def test_a_first_recording_writes_no_history(pool: asyncpg.Pool) -> None:
    await Writer(pool, KeptMessages()).write(event(1, "top"), event(2, "child", "top"))
    assert await pool.fetchval("SELECT count(*) FROM root_history") == 0
    assert await pool.fetchval("SELECT count(*) FROM root_corrections") == 0


async def test_a_late_parent_is_kept_with_the_recompute_that_its_event_requested(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    writer, queue = Writer(pool, kept), RecomputeQueue(pool)
    await writer.write(event(1, "child", "top"))
    await writer.write(event(2, "top"))
    await pool.execute(
        "INSERT INTO backfill_runs (id, kind, jobs, reason, status) "
        "VALUES ($1, 'recompute-roots', '{top}', 'parent-changed', 'queued')",
        UUID(int=99),
    )
    assert await RecomputeRunner(queue, RecomputeStore(pool)).recompute_queued()
    (change,) = await changes(pool, 1)
    assert change == {
        "revision": 2,
        "old_root_job_id": None,
        "old_origin": "PENDING",
        "root_job_id": "top",
        "origin": "RESOLVED",
        "kind": "recompute",
        "runs": [str(UUID(int=99))],
    }
    assert await changes(pool, 2) == []


async def test_a_recompute_that_changes_nothing_leaves_no_trace(pool: asyncpg.Pool) -> None:
    await Writer(pool, KeptMessages()).write(event(1, "top"), event(2, "child", "top"))
    await RecomputeStore(pool).recompute({"top"})
    await RecomputeStore(pool, most_jobs=0).recompute({"top"})
    assert await pool.fetchval("SELECT count(*) FROM root_corrections") == 0


async def test_rows_that_a_backfill_settles_first_note_its_batch_and_rows_with_a_root_keep_it(
    pool: asyncpg.Pool,
) -> None:
    for number, (job, parent, root) in enumerate(
        [("top", None, None), ("child", "top", None), ("computed", "top", "another"), (None, None, "odd")], 1
    ):
        await pool.execute(_LEGACY, UUID(int=number), job, parent, root)
    before = await take_snapshot(pool)
    run = (await Backfills(pool).do()).id
    noted = await pool.fetch(
        "SELECT l.id, c.cause FROM llama_logs l JOIN root_corrections c ON c.id = l.settled_by ORDER BY l.id"
    )
    by_run = {"kind": "backfill", "runs": [str(run)]}
    assert [(record["id"].int, record["cause"]) for record in noted] == [(1, by_run), (2, by_run)]
    (overruled,) = await changes(pool, 3)
    assert (overruled["old_root_job_id"], overruled["old_origin"], overruled["root_job_id"]) == (
        "another",
        None,
        "top",
    )
    (unknown,) = await changes(pool, 4)
    assert (unknown["old_root_job_id"], unknown["origin"]) == ("odd", "UNTRACKED")
    assert await wrong_beliefs(pool, [before, await take_snapshot(pool)]) == []


async def test_roots_that_a_rebuild_repairs_are_kept_as_they_were(pool: asyncpg.Pool) -> None:
    installation = Installation(pool)
    installation.publish([event(1, "top"), event(2, "child", "top"), event(3), event(4, "x", "top")])
    await installation.ingest_all()
    await pool.execute("UPDATE llama_logs SET root_job_id = 'forged' WHERE id = $1", UUID(int=2))
    await pool.execute("UPDATE llama_logs SET root_job_id = 'odd' WHERE id = $1", UUID(int=3))
    await pool.execute(
        "UPDATE llama_logs SET origin = NULL, root_job_id = NULL, operation = 'odd', legacy_sourced = true "
        "WHERE id = $1",
        UUID(int=4),
    )
    forged = await take_snapshot(pool)
    assert (await installation.repaired()).repaired == 3
    (child,), (untracked,) = await changes(pool, 2), await changes(pool, 3)
    assert (child["old_root_job_id"], child["root_job_id"], child["kind"]) == ("forged", "top", "repair")
    assert (untracked["old_root_job_id"], untracked["kind"]) == ("odd", "repair")
    assert await broken_chains(pool) == []
    assert await wrong_beliefs(pool, [forged, await take_snapshot(pool)]) == []


async def test_what_is_older_than_the_history_is_kept_is_deleted_in_pieces_and_the_beginning_says_so(
    pool: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    writer, recomputer = Writer(pool, kept), Recomputer(pool, kept)
    for number in range(1, 8):
        await writer.write(event(number, f"child-{number}", "top"))
    await writer.write(event(100, "top"))
    await recomputer.settle()
    assert await pool.fetchval("SELECT count(*) FROM root_history") == 7
    await writer.write(event(101, "top", "above", at=-1))
    now = datetime.now(UTC)
    history = RootHistory(pool, keep=timedelta(0), at_once=3)
    await recomputer.settle()
    pieces = 0
    while await history.prune(now):
        pieces += 1
        left = await pool.fetchval("SELECT count(*) FROM root_history h WHERE h.old_origin = 'PENDING'")
        assert left == max(0, 7 - 3 * pieces)
    assert pieces == 3
    assert await pool.fetchval("SELECT kept_since FROM history_start") == now
    younger = await pool.fetch("SELECT old_origin::text FROM root_history")
    assert {record["old_origin"] for record in younger} == {"RESOLVED", "ROOT"}
    assert await pool.fetchval("SELECT count(*) FROM root_corrections WHERE changed_at < $1", now) == 0


async def _play(pool: asyncpg.Pool, history: list[Event], seed: int) -> None:
    """A history step by step, with recomputes, sweeps, backfills and legacy rows between."""
    dice, kept, legacy = Random(seed), KeptMessages(), count(5_000)
    writer, backfills = Writer(pool, kept), Backfills(pool)
    sweep = Sweep(RecomputeStore(pool), every=1, full_every=1, clock=count().__next__)
    snapshots, rest = [await take_snapshot(pool)], list(history)
    jobs = ["a", "b", *(job for one in history if (job := getattr(one.data, "job_id", None)) is not None)]
    while rest:
        size = dice.randint(1, 4)
        await writer.write(*rest[:size])
        rest = rest[size:]
        snapshots.append(await take_snapshot(pool))
        match dice.randrange(8):
            case 0:
                await sweep.sweep_everything()
            case 1:
                adopt = dice.choice([MissingParent.ADOPT, MissingParent.LEAVE])
                await backfills.do(missing_parent=adopt)
            case 2:
                job, parent, root = (dice.choice([None, *jobs]) for _ in range(3))
                job = None if job == parent else job
                await pool.execute(_LEGACY, UUID(int=next(legacy)), job, parent, root)
            case 3 | 4 | 5:
                recomputer = Recomputer(pool, kept, dice.choice([0, 500]))
                for some in kept.take_commands():
                    await recomputer.recompute(some)
        snapshots.append(await take_snapshot(pool))
    await Recomputer(pool, kept).settle()
    await sweep.sweep_everything()
    snapshots.append(await take_snapshot(pool))
    assert await broken_chains(pool) == []
    assert await wrong_beliefs(pool, snapshots) == []


def test_the_history_gives_of_any_time_what_the_table_had_then(database_url: str) -> None:
    async def open_pool() -> asyncpg.Pool:
        return await create_pool(database_url, min_size=4, max_size=4)

    with asyncio.Runner() as runner:
        pool = runner.run(open_pool())

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(history=histories(), seed=st.integers(0, 2**32))
        def every_history(history: list[Event], seed: int) -> None:
            runner.run(empty_tables(pool))
            runner.run(_play(pool, history, seed))

        try:
            every_history()
        finally:
            runner.run(pool.close())


async def test_an_override_and_its_revocation_are_both_kept(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    writer, recomputer = Writer(pool, kept), Recomputer(pool, kept)
    await writer.write(event(1, "child", "lost"))
    for step in (override(2, "lost"), override(3, "lost", adopted=False)):
        await writer.write(step)
        await recomputer.settle()
    assert [(change["old_origin"], change["origin"]) for change in await changes(pool, 1)] == [
        ("PENDING", "ADOPTED"),
        ("ADOPTED", "PENDING"),
    ]
