"""Events are taken back in any order of arrival, however writers interleave: the table is the fold."""

from collections.abc import Sequence
from itertools import permutations
from uuid import UUID

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, retraction
from llamalog_schemas import Event
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.log.retractions import Retractor

HISTORY: list[Event] = [
    event(1, "album"),
    event(2, "enrich", "album"),
    event(3, "track", "enrich"),
    event(4, None, "track"),
    retraction(5, 2),
]


@pytest.fixture
def writer(pool: asyncpg.Pool) -> Writer:
    return Writer(pool, KeptMessages())


@pytest.fixture
def recomputer(pool: asyncpg.Pool, writer: Writer) -> Recomputer:
    return Recomputer(pool, writer.kept)


async def difference_to(pool: asyncpg.Pool, events: Sequence[Event]) -> list[str]:
    return differences(await stored_rows(pool), events)


@pytest.mark.parametrize("order", list(permutations(range(5)))[::7])
async def test_the_table_is_the_folds_in_any_order(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer, order: Sequence[int]
) -> None:
    for at in order:
        await writer.write(HISTORY[at])
        await recomputer.settle()
    assert await difference_to(pool, HISTORY) == []


async def test_what_readers_believe_says_retracted_with_a_higher_revision(
    writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(*HISTORY[:4])
    before = writer.kept.provenance[UUID(int=2)]
    assert (before.retracted, before.revision, before.root_job_id) == (False, 1, "album")
    await writer.write(HISTORY[4])
    await recomputer.settle()
    after = writer.kept.provenance
    assert after[UUID(int=2)].retracted
    assert after[UUID(int=2)].revision > 1
    assert [after[UUID(int=number)].root_job_id for number in (1, 2, 3, 4)] == ["album", *["enrich"] * 3]


async def test_a_revocation_makes_everything_as_it_was_but_for_the_revisions(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(*HISTORY)
    await recomputer.settle()
    await writer.write(retraction(6, 2, retracted=False))
    await recomputer.settle()
    assert await difference_to(pool, HISTORY[:4]) == []
    record = writer.kept.provenance[UUID(int=2)]
    assert (record.retracted, record.root_job_id, record.revision >= 3) == (False, "album", True)


async def test_a_retracted_declaration_counts_neither_for_its_row_nor_below(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    events = [event(1, "track", "lost", declared="album"), event(2, "image", "track"), retraction(3, 1)]
    events += [event(4, "track", "lost"), event(5, "thumb", "image")]
    for one in events:
        await writer.write(one)
        await recomputer.settle()
    assert await difference_to(pool, events) == []


async def test_an_event_that_is_sent_again_is_a_duplicate_of_its_retracted_row(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(*HISTORY)
    await recomputer.settle()
    writer.lose_memory()
    outcome = await writer.write(*HISTORY[:4])
    assert (outcome.duplicates, outcome.dead_letters) == (4, 0)
    assert writer.kept.take_commands() == []  # nothing differs from what the batch found
    assert await difference_to(pool, HISTORY) == []


async def test_a_row_that_comes_after_its_retraction_was_applied_is_retracted_all_the_same(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(HISTORY[4])
    await recomputer.settle()
    assert await pool.fetchval("SELECT count(*) FROM retractions WHERE waits_since IS NOT NULL") == 0
    await writer.write(*HISTORY[:4])
    await recomputer.settle()
    assert await difference_to(pool, HISTORY) == []


async def test_one_that_is_applied_while_its_row_is_committed_waits_again(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    """The worker has looked for the row; it comes, and is verified, before the worker has finished."""
    await writer.write(HISTORY[4])

    class Interrupted(Retractor):
        async def _finish(self, waiting: Sequence[object]) -> None:
            await writer.write(*HISTORY[:4])
            await super()._finish(waiting)  # type: ignore[arg-type]

    assert await Interrupted(pool, recomputer.store).apply_next()
    assert await pool.fetchval("SELECT count(*) FROM retractions WHERE waits_since IS NOT NULL") == 1
    await recomputer.settle()
    assert await difference_to(pool, HISTORY) == []


async def test_a_worker_that_dies_before_roots_are_recomputed_leaves_that_to_the_next(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(*HISTORY)

    class Dying(Retractor):
        async def _recompute_below(self, *_: object) -> int:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await Dying(pool, recomputer.store).apply_next()
    assert (await stored_rows(pool))[UUID(int=2)].retracted
    assert await difference_to(pool, HISTORY) != []
    await recomputer.settle()
    assert await difference_to(pool, HISTORY) == []


async def test_the_full_sweep_retracts_a_row_that_another_program_has_put_in_again(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(*HISTORY)
    await recomputer.settle()
    await pool.execute("UPDATE llama_logs SET retracted = false WHERE id = $1", UUID(int=2))
    await Sweep(recomputer.store, every=0, full_every=0, clock=lambda: 0.0).sweep_everything()
    await recomputer.settle()
    assert await difference_to(pool, HISTORY) == []


async def test_a_row_that_refuses_is_set_aside_and_retracted_once_it_has_changed(
    pool: asyncpg.Pool, writer: Writer, recomputer: Recomputer
) -> None:
    await writer.write(*HISTORY, retraction(6, 3))
    await pool.execute(
        "ALTER TABLE llama_logs ADD CONSTRAINT keeps CHECK (NOT retracted OR job_id <> 'enrich')"
    )
    try:
        await recomputer.settle()
        rows = await stored_rows(pool)
        assert [rows[UUID(int=number)].retracted for number in (2, 3)] == [False, True]
        assert await pool.fetchval("SELECT count(*) FROM refused_rows WHERE write = 'retract'") == 1
        assert not await Retractor(pool, recomputer.store).apply_next()
    finally:
        await pool.execute("ALTER TABLE llama_logs DROP CONSTRAINT keeps")
    await pool.execute("UPDATE llama_logs SET reason = reason WHERE id = $1", UUID(int=2))
    await Sweep(recomputer.store, every=0, full_every=0, clock=lambda: 0.0).sweep_unsettled()
    await recomputer.settle()
    assert await difference_to(pool, [*HISTORY, retraction(6, 3)]) == []
