"""What no command tells of, the sweeps find."""

from itertools import count
from uuid import UUID

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from harness.writers import KeptMessages, Repairer, Writer
from histories import chains, event
from llamalog_schemas.events import EntityEvent
from llamalog_service.backfill.sweep import Sweep
from llamalog_service.store.recompute import RecomputeStore


@pytest.fixture
def sweep(pool: asyncpg.Pool) -> Sweep:
    return Sweep(RecomputeStore(pool), every=1, full_every=1000, clock=count().__next__)


async def write_one_by_one(pool: asyncpg.Pool, events: list[EntityEvent]) -> KeptMessages:
    """The commands are lost."""
    kept = KeptMessages()
    writer = Writer(pool, kept)
    for told in events:
        await writer.write(told)
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
    await Repairer(pool, kept).tell()
    assert kept.provenance == as_stored(stored)
    assert await sweep.sweep_unsettled() == 0


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
