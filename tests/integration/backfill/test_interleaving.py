"""Two writers that miss each other: what one wrote while the other had read already never stays wrong."""

from collections.abc import Sequence

import asyncpg
import pytest

from harness.interleaving import PoolInTurns, Turns, at_random, every_order
from harness.log_table import differences, empty_tables, stored_rows
from harness.provenance import as_stored
from harness.writers import KeptMessages, Recomputer, Writer
from histories import chains, event, override
from llamalog_schemas.events import Event
from llamalog_service.log.row_copy import add_producers

Batch = Sequence[Event]


MEETINGS: dict[str, tuple[Batch, Batch, Batch]] = {
    "a child and its parent": ([], [event(1, "child", "parent")], [event(2, "parent")]),
    "a child, and its parent below a known root": (
        [event(1, "root")],
        [event(2, "child", "parent")],
        [event(3, "parent", "root")],
    ),
    "a child of a root, and a parent for that root": (
        [event(1, "root")],
        [event(2, "child", "root")],
        [event(3, "root", "above"), event(4, "above")],
    ),
    "the two halves of a cycle": ([], [event(1, "one", "other")], [event(2, "other", "one")]),
    "two claims for one job": (
        [event(1, "earlier"), event(2, "later")],
        [event(3, "job", "earlier", at=3), event(4, "below", "job")],
        [event(5, "job", "later", at=5), event(6, "beside", "job")],
    ),
    "one event twice": ([event(1, "root")], [event(2, "job", "root")], [event(2, "job", "root")]),
    "a declaration and the one that waits for it": (
        [],
        [event(1, "child", "parent")],
        [event(2, "parent", "lost", declared="declared")],
    ),
    "an override and a child of the job it is about": (
        [],
        [event(1, "child", "lost")],
        [override(2, "lost")],
    ),
    "an override and the event of the job it is about": (
        [event(1, "child", "lost")],
        [event(2, "lost", "above")],
        [override(3, "lost")],
    ),
}


async def begin_anew(pool: asyncpg.Pool) -> None:
    """Empty all tables, and number the producer: as steps of both writers that would multiply the orders."""
    await empty_tables(pool)
    await add_producers(pool, ["/tests"])


@pytest.mark.parametrize("meeting", MEETINGS)
async def test_two_writers_never_stay_apart_in_any_order_of_their_steps(
    pool: asyncpg.Pool, meeting: str
) -> None:
    before, one, other = MEETINGS[meeting]
    orders = 0
    for choose in every_order():
        await begin_anew(pool)
        kept = KeptMessages()
        turns = Turns(kept.count)
        await Writer(pool, kept, partition=2).write(*before) if before else None
        await turns.play(
            choose,
            one=Writer(PoolInTurns(pool, turns, "one"), kept, 0).write(*one),
            other=Writer(PoolInTurns(pool, turns, "other"), kept, 1).write(*other),
        )
        await Recomputer(pool, kept).settle()
        stored = await stored_rows(pool)
        assert differences(stored, [*before, *one, *other]) == []
        assert kept.provenance == as_stored(stored)
        orders += 1
    assert orders >= 10


async def test_a_cycle_that_grew_is_named_anew_by_who_remembers_the_smaller_one(
    pool: asyncpg.Pool,
) -> None:
    kept = KeptMessages()
    forgetful, growing = Writer(pool, kept, 0), Writer(pool, kept, 1)
    ring = [event(1, "one", "other", at=5), event(2, "other", "one", at=5)]
    longer = [event(3, "third", "one", at=5), event(4, "other", "third", at=1)]
    conflicting = event(5, "one", "outside", at=9)
    await forgetful.write(*ring)
    await growing.write(*longer)
    await Recomputer(pool, kept).settle()
    await forgetful.write(conflicting)
    await Recomputer(pool, kept).settle()
    assert differences(await stored_rows(pool), [*ring, *longer, conflicting]) == []


REPAIRS: dict[str, tuple[Batch, Batch]] = {
    "a grandchild of the child that is being repaired": (
        [event(1, "child", "parent"), event(2, "parent")],
        [event(3, "grandchild", "child")],
    ),
    "an earlier claim of the child that is being repaired": (
        [event(2, "child", "parent"), event(3, "parent")],
        [event(1, "child", "another", at=1)],
    ),
    "a parent of the root that children are being given": (
        [event(1, "child", "parent"), event(2, "parent")],
        [event(3, "parent", "above"), event(4, "above")],
    ),
}


@pytest.mark.parametrize("meeting", REPAIRS)
async def test_a_repair_and_a_writer_between_its_statements_never_stay_apart(
    pool: asyncpg.Pool, meeting: str
) -> None:
    """There are too many orders of so many steps: the dice take some."""
    before, meanwhile = REPAIRS[meeting]
    for seed in range(30):
        await begin_anew(pool)
        turns, kept = Turns(), KeptMessages()
        for one in before:
            await Writer(pool, kept).write(one)
        (command,) = kept.take_commands()
        await turns.play(
            at_random(seed),
            recomputer=Recomputer(PoolInTurns(pool, turns, "recomputer", by_statement=True), kept).recompute(
                command
            ),
            writer=Writer(PoolInTurns(pool, turns, "writer"), kept, 1).write(*meanwhile),
        )
        await Recomputer(pool, kept).settle()
        stored = await stored_rows(pool)
        assert differences(stored, [*before, *meanwhile]) == []
        assert kept.provenance == as_stored(stored)


async def test_two_repairs_of_one_lineage_at_once_correct_every_row_once(pool: asyncpg.Pool) -> None:
    """Two migration consumers: the second waits for the lock that the first holds."""
    events = chains(30)
    late_first = sorted(events, key=lambda one: one.data.parent_job_id is None)
    for seed in range(10):
        await begin_anew(pool)
        turns, kept, dice = Turns(blocked_after=0.05), KeptMessages(), at_random(seed)
        for one in late_first:
            await Writer(pool, kept).write(one)
        jobs = [job for command in kept.take_commands() for job in command]
        await turns.play(
            dice,
            one=Recomputer(PoolInTurns(pool, turns, "one", by_statement=True), kept).recompute(jobs),
            other=Recomputer(PoolInTurns(pool, turns, "other", by_statement=True), kept).recompute(jobs),
        )
        stored = await stored_rows(pool)
        assert differences(stored, events) == []
        assert {row.revision for row in stored.values()} == {1, 2}
