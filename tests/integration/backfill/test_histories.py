"""Random histories, written by two at random moments and repaired between their steps: always the fold."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from random import Random
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.interleaving import PoolInTurns, Turns
from harness.log_table import differences, empty_tables, stored_rows
from harness.provenance import as_stored
from harness.writers import KeptMessages, Recomputer, Writer
from histories import erasing_histories, histories, retracting_histories
from llamalog_schemas.events import Event, is_retraction
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.log.erasures import Eraser
from llamalog_service.log.recompute import FEW_JOBS, RecomputeStore
from llamalog_service.log.retractions import Retractor
from llamalog_service.postgres.pool import create_pool

Story = Callable[[asyncpg.Pool, list[Event], int], Coroutine[Any, Any, None]]


def play_many(database_url: str, story: Story, examples: int) -> None:
    """Run a story for many histories, on one pool."""

    async def open_pool() -> asyncpg.Pool:
        return await create_pool(database_url, min_size=4, max_size=8)

    with asyncio.Runner() as runner:
        pool = runner.run(open_pool())

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(history=histories() | erasing_histories() | retracting_histories(), seed=st.integers(0, 2**32))
        def every_history(history: list[Event], seed: int) -> None:
            runner.run(empty_tables(pool))
            runner.run(story(pool, history, seed))

        try:
            every_history()
        finally:
            runner.run(pool.close())


async def write_and_repair_at_once(
    pool: asyncpg.Pool, history: Sequence[Event], seed: int, kept: KeptMessages
) -> None:
    """Two writers share a history, a third recomputes; whose turn it is, is up to the dice."""
    turns = Turns(blocked_after=0.2)  # those that change rows wait for each other's locks
    dice, luck = Random(seed), Random(seed)
    shares: tuple[list[Event], list[Event]] = ([], [])
    for one in history:
        shares[dice.randrange(2)].append(one)
        if dice.random() < 0.1:
            shares[dice.randrange(2)].append(dice.choice(history))
    kept.is_away = lambda: luck.random() < 0.15
    still_writing = 2

    async def write(number: int) -> None:
        nonlocal still_writing
        writer = Writer(PoolInTurns(pool, turns, f"writer {number}"), kept, number)
        writer.after_failure = lambda: luck.choice(["publish again", "requeue", "crash"])
        dice = Random(f"{seed} {number}")
        rest = shares[number]
        while rest:
            size = dice.randint(1, 6)
            await writer.write(*rest[:size])
            rest = rest[size:]
            if dice.random() < 0.2:
                writer.lose_memory()
        still_writing -= 1

    async def repair() -> None:
        dice = Random(f"{seed} recomputer")
        few = dice.choice([0, 4, FEW_JOBS])
        recomputer = Recomputer(PoolInTurns(pool, turns, "recomputer", by_statement=True), kept, few)
        waiting: list[tuple[str, ...]] = []
        while still_writing:
            await turns.mine("recomputer")
            waiting += kept.take_commands()
            if waiting:
                await recomputer.recompute(waiting.pop(dice.randrange(len(waiting))))
        for jobs in waiting:
            await recomputer.recompute(jobs)

    async def erase() -> None:
        eraser = Eraser(PoolInTurns(pool, turns, "eraser"), page=4)
        while still_writing:
            await turns.mine("eraser")
            await eraser.erase_next()

    async def retract() -> None:
        in_turns = PoolInTurns(pool, turns, "retractor")
        retractor = Retractor(in_turns, RecomputeStore(in_turns))
        while still_writing and any(map(is_retraction, history)):
            await turns.mine("retractor")
            await retractor.apply_next()

    await turns.play(
        lambda steps, _: dice.choice(steps).actor,
        **{
            "writer 0": write(0),
            "writer 1": write(1),
            "recomputer": repair(),
            "eraser": erase(),
            "retractor": retract(),
        },
    )
    kept.is_away = lambda: False
    while await Eraser(pool).erase_next():
        pass
    await Recomputer(pool, kept).apply_retractions()


def test_what_two_writers_and_a_recomputer_leave_is_the_fold(database_url: str) -> None:
    async def story(pool: asyncpg.Pool, history: list[Event], seed: int) -> None:
        kept = KeptMessages()
        await write_and_repair_at_once(pool, history, seed, kept)
        await Recomputer(pool, kept).settle()
        stored = await stored_rows(pool)
        assert differences(stored, history) == []
        assert kept.provenance == as_stored(stored)

    play_many(database_url, story, examples=150)


def test_if_every_command_is_lost_the_sweep_of_everything_leads_to_the_fold(database_url: str) -> None:
    async def story(pool: asyncpg.Pool, history: list[Event], seed: int) -> None:
        kept = KeptMessages()
        await write_and_repair_at_once(pool, history, seed, kept)
        kept.take_commands()
        sweep = Sweep(RecomputeStore(pool), every=1, full_every=1, clock=count().__next__)
        await sweep.sweep_unsettled()
        await sweep.sweep_everything()
        stored = await stored_rows(pool)
        assert differences(stored, history) == []
        await Recomputer(pool, kept).publish_corrections()
        assert kept.provenance == as_stored(stored)

    play_many(database_url, story, examples=30)
