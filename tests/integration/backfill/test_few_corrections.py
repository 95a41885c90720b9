"""Few rows are corrected by one statement with a kept plan; what is too much for it by the work tables."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.owners import add_trigger
from harness.writers import KeptMessages, Writer
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.log.recompute import RecomputeStore, recompute_until_converged
from llamalog_service.postgres.locks import RECOMPUTE_LOCK
from llamalog_service.telemetry.metrics import Corrected, Metrics

LATE_TOP = (event(1000, "root-1", "above", at=-1), event(1001, "above", at=-2))
"""Give the first of `chains` another top: three of its rows are to be corrected."""


class CountingPool:
    """A pool that counts how often a connection is taken."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.taken = 0

    def acquire(self) -> Any:
        self.taken += 1
        return self._pool.acquire()


class KeptCorrections(Metrics):
    """Metrics that keep what was corrected."""

    def __init__(self) -> None:
        self.kept: list[Corrected] = []

    def corrected(self, corrected: Corrected) -> None:
        self.kept.append(corrected)


async def written(pool: asyncpg.Pool, *events: Event) -> list[Event]:
    """Each event as a batch of its own, none of the commands done."""
    kept = KeptMessages()
    for one in events:
        await Writer(pool, kept).write(one)
    return list(events)


async def test_few_rows_are_corrected_without_work_tables(pool: asyncpg.Pool) -> None:
    events = await written(
        pool,
        *chains(9),
        event(100, "below a lost one", "lost", declared="declared"),
        event(101, "lost", "adopted"),
        override(102, "adopted"),
        *LATE_TOP,
    )
    working, metrics = CountingPool(pool), KeptCorrections()
    store = RecomputeStore(working, metrics, keeping_plans=pool)
    done = await recompute_until_converged(store, ["root-1", "adopted", "lost", "never seen"])
    assert differences(await stored_rows(pool), events) == []
    assert (done.rows_changed, done.passes, working.taken) == (6, 2, 0)
    assert metrics.kept[0].depth == 3
    assert metrics.kept[0].deepest == "grandchild-1"
    outbox = await pool.fetch("SELECT bulk, revision FROM provenance_outbox")
    assert [tuple(entry) for entry in outbox] == 6 * [(False, 2)]


async def another_lineage_too_many(pool: asyncpg.Pool) -> list[Event]:
    return await written(
        pool, *chains(9), *(event(50 + n, f"more-{n}", "root-1") for n in range(9)), *LATE_TOP
    )


async def rows_of_one_job_too_many(pool: asyncpg.Pool) -> list[Event]:
    return await written(pool, *chains(3), *(event(50 + n, "child-1") for n in range(9)), *LATE_TOP)


async def a_cycle(pool: asyncpg.Pool) -> list[Event]:
    return await written(
        pool, event(1, "root-1", "one"), event(2, "one", "other"), event(3, "other", "root-1")
    )


async def a_trigger_after_the_write(pool: asyncpg.Pool) -> list[Event]:
    events = await written(pool, *chains(3), *LATE_TOP)
    await add_trigger(pool, "AFTER UPDATE", "RETURN NULL;")
    return events


FOREIGN = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job)
    VALUES (gen_random_uuid(), 'foreign', 'CREATED', 'SUCCESS', 'foreign', 'none', true)
"""


async def a_row_of_another_writer(pool: asyncpg.Pool) -> list[Event]:
    events = await written(pool, *chains(3), *LATE_TOP)
    await pool.execute(FOREIGN)
    return events


TOO_MUCH: dict[str, Callable[[asyncpg.Pool], Awaitable[list[Event]]]] = {
    "jobs": another_lineage_too_many,
    "rows": rows_of_one_job_too_many,
    "cycle": a_cycle,
    "trigger": a_trigger_after_the_write,
    "foreign row": a_row_of_another_writer,
}


@pytest.mark.parametrize("what", TOO_MUCH)
async def test_what_is_too_much_for_one_statement_is_left_to_the_work_tables(
    pool: asyncpg.Pool, what: str
) -> None:
    events = await TOO_MUCH[what](pool)
    working = CountingPool(pool)
    store = RecomputeStore(working, keeping_plans=pool, most_jobs=8, most_rows=6)
    await recompute_until_converged(store, ["root-1"])
    assert working.taken > 0
    await pool.execute("DELETE FROM llama_logs WHERE operation = 'foreign'")
    assert differences(await stored_rows(pool), events) == []


@pytest.mark.parametrize("most_jobs", [0, 100], ids=["work tables", "one statement"])
async def test_of_several_declarations_below_an_unseen_top_the_nearest_counts(
    pool: asyncpg.Pool, most_jobs: int
) -> None:
    events = await written(
        pool,
        event(1, "below", "declares"),
        event(2, "declares", "late", declared="its own"),
        event(3, "late", "never seen", declared="another"),
        event(4, "beside", "late"),
    )
    await recompute_until_converged(RecomputeStore(pool, most_jobs=most_jobs), ["late"])
    stored = await stored_rows(pool)
    assert {row.content.job_id: row.root.root_job_id for row in stored.values()} == {
        "below": "its own",
        "declares": "its own",
        "late": "another",
        "beside": "another",
    }
    assert differences(stored, events) == []


REFUSALS = {
    "raises": "IF NEW.job_id = 'child-1' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;",
    "drops": "IF NEW.job_id = 'child-1' THEN RETURN NULL; END IF; RETURN NEW;",
}


@pytest.mark.parametrize("how", REFUSALS)
async def test_a_refused_row_undoes_the_statement_and_the_work_tables_set_it_aside(
    pool: asyncpg.Pool, how: str
) -> None:
    await written(pool, *chains(3), *LATE_TOP)
    await add_trigger(pool, "BEFORE UPDATE", REFUSALS[how])
    working = CountingPool(pool)
    store = RecomputeStore(working, keeping_plans=pool)
    await recompute_until_converged(store, ["root-1"])
    assert working.taken == 1
    roots = {row.content.job_id: row.root.root_job_id for row in (await stored_rows(pool)).values()}
    assert (roots["root-1"], roots["child-1"], roots["grandchild-1"]) == ("above", "root-1", "above")
    assert await pool.fetchval("SELECT count(*) FROM provenance_outbox") == 3


async def test_a_correction_under_way_is_waited_for_by_the_work_tables_alone(pool: asyncpg.Pool) -> None:
    events = await written(pool, *chains(3), *LATE_TOP)
    working = CountingPool(pool)
    store = RecomputeStore(pool, keeping_plans=working)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", RECOMPUTE_LOCK)
        assert await store._recompute_few(["root-1"]) is None
    await recompute_until_converged(store, ["root-1"])
    assert differences(await stored_rows(pool), events) == []
