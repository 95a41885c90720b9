"""Timelines, trees, children and chains, held against plain Python over all rows of random histories."""

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

import asyncpg

from harness.log_oracle import LogOracle, Row
from harness.queried_histories import ENTITIES, all_entries, all_items, check_many, ids, rows_of
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.jobs import read_chain, read_children, read_tree
from llamalog_service.queries.timeline import read_timeline


async def assert_reads(
    oracle: LogOracle, read: Callable[..., Awaitable[Any]], expected: list[Row], dice: Random
) -> None:
    """One piece is in the order for people; small pieces hold the same rows, times ascending."""
    whole = await all_entries(read, 500)
    if all(-1e10 < row.at < 1e11 for row in expected):
        assert ids(whole) == rows_of(expected)
    depths = {row.id: oracle.depth(row) for row in expected}
    assert {entry.row.id: entry.depth for entry in whole} == depths
    for entry in whole:
        job = entry.row.job_id
        assert entry.parent == (entry.row.parent_job_id if job is None else oracle.parent(job))
    pieces = await all_entries(read, dice.randint(1, 5))
    assert sorted(ids(pieces)) == sorted(depths), "nothing twice, nothing lost"
    # Times that no date can be are shown as the first and the last that can.
    times = {row.id: max(-6e10, min(row.at, 3e11)) for row in expected}
    assert [times[row] for row in ids(pieces)] == sorted(times.values())


def test_timelines_are_the_lineages_of_an_entitys_roots_and_its_rows_without_one(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for entity in dice.sample(ENTITIES, 3):
            orphans = dice.random() < 0.7
            read = partial(read_timeline, Reader(pool), entity, include_orphans=orphans)
            expected = oracle.timeline(entity.type, entity.id, orphans=orphans)
            await assert_reads(oracle, read, expected, dice)

    check_many(database_url, check)


def test_trees_hold_all_that_hangs_on_a_job_at_its_true_depth(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for job in dice.sample(["never named", *sorted(oracle.jobs)], 1 + len(oracle.jobs) // 2):
            await assert_reads(oracle, partial(read_tree, Reader(pool), job), oracle.tree(job), dice)

    check_many(database_url, check, odd=False)


def test_children_are_the_jobs_directly_below_by_the_claims_that_count(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        named = sorted({row.parent_job_id for row in oracle.rows if row.parent_job_id is not None})
        for job in dice.sample(named, min(4, len(named))):
            found = await all_items(partial(read_children, Reader(pool), job), dice.randint(1, 3))
            expected = oracle.children(job)
            assert [child.job for child in found] == [child for child, _ in expected]
            for child, (below, claim) in zip(found, expected, strict=True):
                own = [claim] if below is None else oracle.rows_of_job(below)
                assert (child.rows, child.seen) == (len(own), True)
                assert child.failed == sum(row.failed for row in own)
                assert (child.category, child.status) == (own[0].category, own[-1].status)
                assert (child.operation, child.entity_id) == (own[0].operation, own[0].entity_id)
                assert child.name == own[0].name
                assert child.children == (0 if below is None else len(oracle.children(below)))

    check_many(database_url, check)


def test_a_chain_leads_from_the_topmost_job_named_down_to_the_job(database_url: str) -> None:
    async def check(pool: asyncpg.Pool, oracle: LogOracle, dice: Random) -> None:
        for job in dice.sample(sorted(oracle.jobs), min(4, len(oracle.jobs))):
            chain = await read_chain(Reader(pool), job)
            assert [link.job for link in chain.links] == oracle.upwards(job)[::-1]
            assert [link.seen for link in chain.links] == [link.job in oracle.seen for link in chain.links]
            assert not chain.longer
            own = oracle.rows_of_job(job)
            if own:
                assert (chain.root, chain.origin) == (own[0].root_job_id, own[0].origin)
                assert list(chain.cycle) == (own[0].cycle_members or [])
            else:
                hanging = oracle.where(lambda row: row.parent_job_id == job)  # noqa: B023 - called at once
                assert chain.root in {None, *(row.root_job_id for row in hanging)}

    check_many(database_url, check, odd=False)
