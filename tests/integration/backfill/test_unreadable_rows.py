"""Rows that cannot be read, since a function of a policy raises for them: everything else goes on."""

from collections.abc import AsyncIterator
from itertools import count
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.owners import RAISING_POLICY, add_trigger, become_plain_owner
from harness.rebuilding import Installation
from harness.writers import NAMES, KeptMessages, Recomputer, Writer
from histories import chains, event, override
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.backfill.recomputes import QueuedRecompute, RecomputeQueue, RecomputeRunner, Sweep
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ProvenanceOutbox, publish_removals
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.conflicts import refused_rows

REFUSED = UUID(int=2)
"""The row `child-1` of `chains`."""


@pytest.fixture
async def owner(pool: asyncpg.Pool, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as the tables' owner, of which policies hold."""
    role = f"owner_{uuid4().hex}"
    await become_plain_owner(pool, role)
    async with create_pool(
        database_url, max_size=4, user=role, password=role, server_settings={"enable_seqscan": "off"}
    ) as owner:
        yield owner
    await pool.execute(f"REASSIGN OWNED BY {role} TO current_user; DROP OWNED BY {role}; DROP ROLE {role}")


async def publish_all(pool: asyncpg.Pool, kept: KeptMessages) -> None:
    publisher = EventPublisher(kept, NAMES, source="/tests")
    relay = CorrectionRelay(ProvenanceOutbox(pool), BackfillStore(pool), publisher)
    while await relay.publish_next():
        pass


@pytest.mark.parametrize("bulk", [False, True])
async def test_the_correction_of_such_a_row_waits_and_all_others_are_published(
    owner: asyncpg.Pool, pool: asyncpg.Pool, bulk: bool
) -> None:
    await Writer(owner, KeptMessages()).write(*chains(9))
    await owner.execute(
        "INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, 1, $1 FROM llama_logs", bulk
    )
    await pool.execute(RAISING_POLICY)
    kept = KeptMessages()
    await publish_all(owner, kept)
    assert kept.provenance.keys() == (await stored_rows(pool)).keys() - {REFUSED}
    waiting = [record["row_id"] for record in await pool.fetch("SELECT row_id FROM provenance_outbox")]
    assert waiting == [REFUSED]
    await pool.execute("DROP POLICY owners ON llama_logs; CREATE POLICY all_rows ON llama_logs USING (true)")
    await publish_all(owner, kept)
    assert REFUSED in kept.provenance
    assert await pool.fetchval("SELECT count(*) FROM provenance_outbox") == 0


async def test_a_batch_goes_on_without_the_events_whose_rows_cannot_be_read(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    await Writer(owner, KeptMessages()).write(*chains(9))
    await pool.execute(RAISING_POLICY)
    kept = KeptMessages()
    await Writer(owner, kept).write(*chains(9), event(50, "new"), event(51, "below", "root-4"))
    assert {row.int for row in (await stored_rows(pool))} == {*range(1, 10), 50, 51}
    assert {UUID(int=50), UUID(int=51)} <= kept.provenance.keys()
    (dead_letter,) = kept.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in dead_letter.headers


async def test_what_was_recorded_beside_such_a_row_is_right_once_it_can_be_read(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    later = [event(50, "new", "child-1"), event(51, "below", "root-4"), event(52, "root-7", "above")]
    kept = KeptMessages()
    await Writer(owner, kept).write(*chains(9))
    await pool.execute(RAISING_POLICY)
    await Writer(owner, kept).write(*later)
    await pool.execute("DROP POLICY owners ON llama_logs; CREATE POLICY all_rows ON llama_logs USING (true)")
    await Recomputer(owner, kept).settle()
    await Sweep(RecomputeStore(owner), every=1, full_every=1000, clock=count().__next__).sweep_unsettled()
    assert differences(await stored_rows(pool), [*chains(9), *later]) == []


async def test_a_sweep_sets_such_a_row_aside_and_goes_on_behind_it(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    events = [*chains(9)[::-1], event(60, "below", "child-1")]
    for one in events:
        await Writer(owner, KeptMessages()).write(one)
    await pool.execute(
        "UPDATE llama_logs SET origin = 'PENDING', root_job_id = NULL WHERE parent_job_id IS NOT NULL"
    )
    await pool.execute(RAISING_POLICY)
    sweep = Sweep(RecomputeStore(owner), every=1, full_every=1000, clock=count().__next__)
    await sweep.sweep_unsettled()
    left = [line for line in differences(await stored_rows(pool), events) if "root-1" not in line]
    assert left == []
    listed = (await refused_rows(Reader(owner))).items
    assert (listed[0].row, listed[0].write, listed[0].reason) == (REFUSED, "read", "not this one")
    await pool.execute("DROP POLICY owners ON llama_logs; CREATE POLICY all_rows ON llama_logs USING (true)")
    await sweep.sweep_unsettled()
    assert differences(await stored_rows(pool), events) == []
    assert not (await refused_rows(Reader(owner))).items


async def test_a_requested_recompute_corrects_all_jobs_but_those_that_cannot_be_read(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    await Writer(owner, KeptMessages()).write(*chains(9))
    await pool.execute("UPDATE llama_logs SET root_job_id = 'wrong'")
    await pool.execute(RAISING_POLICY)
    queue = RecomputeQueue(owner)
    await queue.enqueue([QueuedRecompute(UUID(int=90), ("root-1", "root-4", "root-7"), "root-disagrees")])
    assert await RecomputeRunner(queue, RecomputeStore(owner)).recompute_queued()
    right = {row.root.root_job_id for row in (await stored_rows(pool)).values()}
    assert right == {"wrong", "root-4", "root-7"}
    (run,) = await pool.fetch("SELECT status::text, error FROM backfill_runs")
    assert run["status"] == "failed"
    assert run["error"] == "rows of the job root-1, or below it, cannot be read: not this one"


async def test_an_override_that_is_refused_is_a_dead_letter(pool: asyncpg.Pool) -> None:
    await pool.execute("ALTER TABLE root_overrides ADD CONSTRAINT owners CHECK (job_id <> 'not-this')")
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "job"), override(2, "not-this"), override(3, "this"))
    assert list(await stored_rows(pool)) == [UUID(int=1)]
    assert [row["job_id"] for row in await pool.fetch("SELECT job_id FROM root_overrides")] == ["this"]
    (dead_letter,) = kept.dead_letters
    assert ("llamalog-reason", b"refused-by-database") in dead_letter.headers


@pytest.fixture
async def removed(pool: asyncpg.Pool) -> Installation:
    """A row in no event was removed by a repair, which could not publish that yet."""
    installation = Installation(pool)
    installation.publish(chains(6))
    await installation.ingest_all()
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, origin, revision) "
        "VALUES ($1, 'forged', 'CREATED', 'SUCCESS', 'UNTRACKED', 7)",
        UUID(int=700),
    )
    await installation.repaired()
    await pool.execute("UPDATE removed_rows SET is_published = false")
    return installation


NO_UPDATES = {
    "raises": "RAISE EXCEPTION 'not this one'; RETURN NEW;",
    "drops": "RETURN NULL;",
}


@pytest.mark.parametrize("owners", NO_UPDATES)
async def test_a_row_that_comes_back_and_refuses_updates_has_a_higher_revision(
    removed: Installation, owners: str
) -> None:
    pool = removed.pool
    await add_trigger(pool, "BEFORE UPDATE", NO_UPDATES[owners])
    kept = KeptMessages()
    await Writer(pool, kept).write(event(700, "job-700"), event(701, "job-701"))
    assert kept.dead_letters == []
    assert (await stored_rows(pool))[UUID(int=700)].revision == 8


@pytest.mark.parametrize("owners", NO_UPDATES)
async def test_a_removal_is_published_though_the_row_is_back_and_refuses_updates(
    removed: Installation, owners: str
) -> None:
    pool, kept = removed.pool, KeptMessages()
    await Writer(pool, kept).write(event(700, "job-700"))
    await add_trigger(pool, "BEFORE UPDATE", NO_UPDATES[owners])
    await publish_removals(ProvenanceOutbox(pool), EventPublisher(kept, NAMES, source="/tests"))
    assert await pool.fetchval("SELECT count(*) FROM removed_rows WHERE NOT is_published") == 0
    await publish_all(pool, kept)
    messages = [
        message
        for message in kept.by_topic[NAMES.provenance.name]
        if message.key == str(UUID(int=700)).encode()
    ]
    assert messages[-1].value is not None
