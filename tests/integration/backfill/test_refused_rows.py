"""Rows that the table's owner lets no writer change: set aside and shown, and everything else goes on."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.backfills import Backfills, forget_roots
from harness.log_table import differences, stored_rows
from harness.owners import add_trigger, become_plain_owner, drop_trigger
from harness.writers import KeptMessages, Recomputer, Writer
from histories import chains, event
from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.events import EntityEvent
from llamalog_service.backfill.recomputes import QueuedRecompute, RecomputeQueue, RecomputeRunner, Sweep
from llamalog_service.log import unsettled
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool

ABOVE = (event(999, "above", at=-2), event(1000, "root-1", "above", at=-1))
"""Give the first of `chains` another top: three of its rows are to be corrected."""
REFUSED = UUID(int=2)
"""The row `child-1`."""

OWNERS = {
    "raises": ("BEFORE UPDATE", "IF {row} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;"),
    "raises a code that means away": (
        "BEFORE UPDATE",
        "IF {row} THEN RAISE EXCEPTION 'not this one' USING ERRCODE = '57014'; END IF; RETURN NEW;",
    ),
    "drops the update": ("BEFORE UPDATE", "IF {row} THEN RETURN NULL; END IF; RETURN NEW;"),
    "puts the old root back": (
        "BEFORE UPDATE",
        "IF {row} THEN NEW.root_job_id := OLD.root_job_id; END IF; RETURN NEW;",
    ),
    "keeps the revision": (
        "BEFORE UPDATE",
        "IF {row} THEN NEW.revision := OLD.revision; END IF; RETURN NEW;",
    ),
    "writes the old root again": (
        "AFTER UPDATE",
        "IF {row} AND pg_trigger_depth() = 1 THEN "
        "UPDATE llama_logs SET root_job_id = OLD.root_job_id WHERE id = NEW.id; END IF; RETURN NULL;",
    ),
    "raises at the commit": (
        "AFTER UPDATE",
        "IF {row} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NULL;",
    ),
}
ROW = "NEW.job_id = 'child-1'"


@pytest.fixture(params=OWNERS)
async def owner(request: pytest.FixtureRequest, pool: asyncpg.Pool) -> str:
    moment, body = OWNERS[request.param]
    await add_trigger(pool, moment, body.format(row=ROW), deferred="commit" in request.param)
    return str(request.param)


@pytest.fixture
def sweep(pool: asyncpg.Pool) -> Sweep:
    return Sweep(RecomputeStore(pool), every=1, full_every=1000, clock=count().__next__)


async def set_aside(pool: asyncpg.Pool) -> list[UUID]:
    return [
        record["row_id"] for record in await pool.fetch("SELECT row_id FROM refused_rows ORDER BY row_id")
    ]


async def written(pool: asyncpg.Pool, *events: EntityEvent) -> KeptMessages:
    kept = KeptMessages()
    for one in events:
        await Writer(pool, kept).write(one)
    return kept


async def rows_but_one(pool: asyncpg.Pool, events: list[EntityEvent]) -> list[str]:
    """Differences from the fold, but for the refused row."""
    return [
        line for line in differences(await stored_rows(pool), events) if not line.startswith(str(REFUSED))
    ]


async def test_a_repair_sets_a_refused_row_aside_and_corrects_all_others(
    pool: asyncpg.Pool, owner: str
) -> None:
    kept = await written(pool, *chains(9), *ABOVE)
    async with asyncio.timeout(60):
        await Recomputer(pool, kept).settle()
    assert await rows_but_one(pool, [*chains(9), *ABOVE]) == []
    assert await set_aside(pool) == [REFUSED]
    assert (await stored_rows(pool))[REFUSED].root.root_job_id == "root-1"
    assert (await stored_rows(pool))[REFUSED].revision <= 8


async def test_a_row_set_aside_is_tried_again_when_it_has_changed(
    pool: asyncpg.Pool, owner: str, sweep: Sweep
) -> None:
    kept = await written(pool, *chains(9), *ABOVE)
    await Recomputer(pool, kept).settle()
    revision = (await stored_rows(pool))[REFUSED].revision
    await sweep.sweep_unsettled()
    assert (await stored_rows(pool))[REFUSED].revision == revision
    await drop_trigger(pool)
    await sweep.sweep_unsettled()
    assert await set_aside(pool) == [REFUSED]
    await pool.execute("UPDATE llama_logs SET user_id = 'changed' WHERE id = $1", REFUSED)
    await sweep.sweep_unsettled()
    assert (await stored_rows(pool))[REFUSED].root.root_job_id == "above"
    await sweep.sweep_unsettled()
    assert await set_aside(pool) == []


async def test_the_sweep_of_everything_tries_all_rows_again(
    pool: asyncpg.Pool, owner: str, sweep: Sweep
) -> None:
    kept = await written(pool, *chains(9), *ABOVE)
    await Recomputer(pool, kept).settle()
    assert await sweep.sweep_everything() <= 3
    assert await set_aside(pool) == [REFUSED]
    await drop_trigger(pool)
    assert await sweep.sweep_everything() == 1
    assert differences(await stored_rows(pool), [*chains(9), *ABOVE]) == []
    await sweep.sweep_unsettled()
    assert await set_aside(pool) == []


async def test_a_backfill_sets_a_refused_row_aside_and_adds_up(pool: asyncpg.Pool, owner: str) -> None:
    await written(pool, *chains(9))
    await drop_trigger(pool)
    await forget_roots(pool)
    moment, body = OWNERS[owner]
    await add_trigger(pool, moment, body.format(row=ROW), deferred="commit" in owner)
    done = await Backfills(pool).do(batch_size=4)
    assert done.status is RunStatus.COMPLETED, done.error
    assert done.report is not None
    assert (done.report.refused, done.report.unexplained) == (1, 0)
    assert await rows_but_one(pool, chains(9)) == []
    assert await set_aside(pool) == [REFUSED]


async def test_runs_of_other_jobs_are_done_beside_a_refused_row(pool: asyncpg.Pool, owner: str) -> None:
    await written(pool, *chains(9), *ABOVE, event(1001, "root-4", "above", at=-1))
    queue = RecomputeQueue(pool)
    await queue.enqueue(
        [
            QueuedRecompute(uuid4(), ("root-1",), "parent-changed"),
            QueuedRecompute(uuid4(), ("root-4",), "parent-changed"),
        ]
    )
    await RecomputeRunner(queue, RecomputeStore(pool)).recompute_queued()
    assert await pool.fetchval("SELECT count(*) FROM backfill_runs WHERE status = 'completed'") == 2
    assert (await stored_rows(pool))[UUID(int=6)].root.root_job_id == "above"


LONG = "j" * 150
FOREIGN = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id, is_root_job)
    VALUES ($1, 'album:add', 'CREATED', 'SUCCESS', $2, $3, $4)
"""


async def test_a_job_whose_name_is_too_long_for_a_root_leaves_the_sweep_going(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    await pool.execute("ALTER TABLE llama_logs ALTER COLUMN job_id TYPE text")
    await pool.execute(FOREIGN, UUID(int=1), LONG, None, True)
    await pool.execute(FOREIGN, UUID(int=2), "other", None, True)
    await pool.execute(FOREIGN, UUID(int=3), None, None, False)
    assert await sweep.sweep_unsettled() == 2
    assert await sweep.sweep_unsettled() == 0
    assert await set_aside(pool) == [UUID(int=1)]
    refused = await pool.fetchrow("SELECT sqlstate, reason FROM refused_rows")
    assert refused is not None
    assert refused["sqlstate"] == "22001"
    assert "too long" in refused["reason"]


async def test_a_root_job_with_a_parent_that_is_refused_leaves_repairs_going(
    pool: asyncpg.Pool, sweep: Sweep
) -> None:
    await written(pool, *chains(3))
    await pool.execute(FOREIGN, UUID(int=100), "foreign", "above", True)
    await pool.execute(FOREIGN, UUID(int=101), "foreign-too", "above", True)
    await pool.execute("ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (job_id <> 'foreign') NOT VALID")
    await written(pool, *ABOVE)
    await RecomputeStore(pool).recompute({"root-1"})
    assert (
        differences(
            {k: v for k, v in (await stored_rows(pool)).items() if k.int not in (100, 101)},
            [*chains(3), *ABOVE],
        )
        == []
    )
    await sweep.sweep_unsettled()
    assert await set_aside(pool) == [UUID(int=100)]
    assert (await stored_rows(pool))[UUID(int=101)].root.root_job_id == "foreign-too"
    assert await sweep.sweep_unsettled() == 0


async def test_a_refused_row_without_a_job_leaves_the_others_going(pool: asyncpg.Pool, sweep: Sweep) -> None:
    for number in range(1, 6):
        await pool.execute(FOREIGN, UUID(int=number), None, None, False)
    await add_trigger(
        pool, "BEFORE UPDATE", f"IF NEW.id = '{UUID(int=3)}' THEN RETURN NULL; END IF; RETURN NEW;"
    )
    assert await sweep.sweep_unsettled() == 4
    assert await sweep.sweep_unsettled() == 0
    assert await set_aside(pool) == [UUID(int=3)]


async def test_many_refused_rows_are_set_aside_in_portions(pool: asyncpg.Pool, sweep: Sweep) -> None:
    await written(pool, event(1, "root"))
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, job_id, parent_job_id) "
        "SELECT gen_random_uuid(), 'x', 'CREATED', 'SUCCESS', 'child-' || n, 'root' "
        "FROM generate_series(1, 1500) n"
    )
    await pool.execute("ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (job_id = 'root') NOT VALID")
    await sweep.sweep_everything()
    assert len(await set_aside(pool)) == 1500
    await pool.execute("ALTER TABLE llama_logs DROP CONSTRAINT owners")
    assert await sweep.sweep_everything() == 1500
    await sweep.sweep_unsettled()
    assert await set_aside(pool) == []


async def test_every_write_of_a_row_is_released_though_a_page_ends_there(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entries are of rows that are gone."""
    monkeypatch.setattr(unsettled, "_REFUSED_AT_ONCE", 1)
    await pool.execute(
        "INSERT INTO refused_rows (row_id, write, sqlstate, reason) "
        "SELECT md5(row::text)::uuid, write, '23514', 'a check' "
        "FROM generate_series(1, 3) row, unnest(ARRAY['claim', 'root']) write"
    )
    store = RecomputeStore(pool)
    for _ in range(3):
        await store.unsettled.changed_refusals()
    assert await pool.fetchval("SELECT count(*) FROM refused_rows") == 0


@pytest.mark.parametrize(
    "constraint",
    [
        "ALTER TABLE llama_logs ADD CONSTRAINT owners CHECK (root_job_id <> 'above' OR job_id <> 'child-1')",
        "CREATE UNIQUE INDEX owners ON llama_logs (root_job_id) WHERE job_id = 'child-1'; "
        "INSERT INTO llama_logs "
        "(id, operation, category, status, job_id, origin, root_job_id) VALUES "
        "('00000000-0000-0000-0000-0000000000ff', 'x', 'CREATED', 'SUCCESS', 'child-1', 'RESOLVED', 'above')",
        "CREATE TABLE tops (job text PRIMARY KEY); INSERT INTO tops "
        "SELECT DISTINCT root_job_id FROM llama_logs WHERE root_job_id <> 'above'; "
        "ALTER TABLE llama_logs ADD CONSTRAINT owners FOREIGN KEY (root_job_id) REFERENCES tops "
        "DEFERRABLE INITIALLY DEFERRED NOT VALID",
    ],
)
async def test_constraints_of_the_owner_set_rows_aside(pool: asyncpg.Pool, constraint: str) -> None:
    kept = await written(pool, *chains(9), *ABOVE)
    await pool.execute(constraint)
    async with asyncio.timeout(60):
        await Recomputer(pool, kept).settle()
    assert REFUSED in await set_aside(pool)


@pytest.fixture
async def policed(pool: asyncpg.Pool, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as the tables' owner, on whom policies are forced: one row is readable and no more."""
    role = f"owner_{uuid4().hex}"
    await become_plain_owner(pool, role)
    async with create_pool(database_url, max_size=4, user=role, password=role) as owner:
        yield owner
    await pool.execute(f"REASSIGN OWNED BY {role} TO current_user; DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize(
    "clause", ["USING (job_id <> 'child-1')", "USING (true) WITH CHECK (job_id <> 'child-1')"]
)
async def test_policies_of_the_owner_set_rows_aside(policed: asyncpg.Pool, clause: str) -> None:
    kept = await written(policed, *chains(9), *ABOVE)
    await policed.execute("ALTER TABLE llama_logs ENABLE ROW LEVEL SECURITY")
    await policed.execute("ALTER TABLE llama_logs FORCE ROW LEVEL SECURITY")
    await policed.execute("CREATE POLICY reads ON llama_logs FOR SELECT USING (true)")
    await policed.execute(f"CREATE POLICY writes ON llama_logs FOR UPDATE {clause}")
    await Recomputer(policed, kept).settle()
    assert await rows_but_one(policed, [*chains(9), *ABOVE]) == []
    assert await set_aside(policed) == [REFUSED]


async def test_a_program_that_writes_roots_back_ends_a_repair_with_a_sentence(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(pool, *chains(9), *ABOVE, event(1001, "root-4", "above", at=-1))
    recompute = RecomputeStore.recompute

    async def fought(self: RecomputeStore, *arguments: Any, **named: Any) -> Any:
        done = await recompute(self, *arguments, **named)
        await pool.execute("UPDATE llama_logs SET root_job_id = 'root-1' WHERE id = $1", REFUSED)
        return done

    monkeypatch.setattr(RecomputeStore, "recompute", fought)
    queue = RecomputeQueue(pool)
    await queue.enqueue(
        [
            QueuedRecompute(uuid4(), ("root-1",), "parent-changed"),
            QueuedRecompute(uuid4(), ("root-4",), "parent-changed"),
        ]
    )
    await RecomputeRunner(queue, RecomputeStore(pool)).recompute_queued()
    runs = await pool.fetch("SELECT status, error FROM backfill_runs ORDER BY jobs")
    assert [run["status"] for run in runs] == ["failed", "completed"]
    assert "changed back" in runs[0]["error"]
