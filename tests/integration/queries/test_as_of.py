"""Timelines, trees and rows as they were believed to be: those that the same queries gave at the time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.log_table import empty_tables
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, histories, retraction
from llamalog_schemas.events import EntityType, Event, is_override
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.domain.rows import content_of
from llamalog_service.log.history import RootHistory
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.as_of import read_row_as_of
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import Tree, read_tree
from llamalog_service.queries.root_changes import HistoryTooShortError, read_belief
from llamalog_service.queries.timeline import Timeline, read_timeline


def _entries(found: Timeline | Tree, *, at_rest: bool) -> list[tuple[object, ...]]:
    """What a lineage says of its rows that depends on other rows."""
    return [
        (
            entry.row.id,
            entry.depth,
            entry.parent,
            entry.row.root_job_id,
            entry.row.origin,
            entry.row.parent_conflict if at_rest else None,  # it is derived from claims, not kept
            entry.row.declaration_conflict,
        )
        for entry in found.entries
    ]


async def _look(
    reader: Reader, entities: list[UUID], jobs: list[str], as_of: datetime | None = None, *, at_rest: bool
) -> dict[object, object]:
    """Every timeline, and at rest every tree: before, these rely on conflicts that may not be noted."""
    seen: dict[object, object] = {}
    for job in jobs if at_rest else ():
        tree = await read_tree(reader, job, limit=500, as_of=as_of)
        seen[job] = (_entries(tree, at_rest=at_rest), tree.parents)
    for entity in entities:
        ref = EntityRef(type=EntityType.TRACK, id=entity)
        for orphans in (False, True):
            found = await read_timeline(reader, ref, include_orphans=orphans, limit=500, as_of=as_of)
            seen[entity, orphans] = (_entries(found, at_rest=at_rest), found.parents)
    return seen


async def _play(pool: asyncpg.Pool, history: list[Event], seed: int) -> None:
    """Look at everything after some steps of a history, and again from its end."""
    await empty_tables(pool)
    dice, kept, reader = Random(seed), KeptMessages(), Reader(pool)
    writer, sweep = Writer(pool, kept), Sweep(RecomputeStore(pool), every=1, full_every=1, clock=lambda: 0.0)
    rows = [content_of(one) for one in history if not is_override(one)]
    entities = sorted(one.entity_id for one in rows if isinstance(one.entity_id, UUID))[:3]
    named = {job for one in rows for job in (one.job_id, one.parent_job_id) if job is not None}
    jobs = sorted(named)[:4]
    looked: list[tuple[datetime, bool, dict[object, object]]] = []

    async def look(*, at_rest: bool) -> None:
        seen = await _look(reader, entities, jobs, at_rest=at_rest)
        looked.append((await pool.fetchval("SELECT clock_timestamp()"), at_rest, seen))

    rest = list(history)
    while rest:
        size = dice.randint(1, 5)
        await writer.write(*rest[:size])
        rest = rest[size:]
        for some in kept.take_commands():
            if dice.random() < 0.6:
                await Recomputer(pool, kept).recompute(some)
        if at_rest := dice.random() < 0.3:
            await sweep.sweep_everything()
        if dice.random() < 0.5:
            await look(at_rest=at_rest)
    await sweep.sweep_everything()
    await look(at_rest=True)
    for at, at_rest, seen in looked:
        then = await _look(reader, entities, jobs, at, at_rest=at_rest)
        for what, found in seen.items():
            assert then[what] == found, what


def test_lineages_as_of_a_time_are_those_of_that_time(database_url: str) -> None:
    async def open_pool() -> asyncpg.Pool:
        return await create_pool(database_url, min_size=1, max_size=3)

    with asyncio.Runner() as runner:
        pool = runner.run(open_pool())

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(history=histories(), seed=st.integers(0, 2**32))
        def every_history(history: list[Event], seed: int) -> None:
            runner.run(_play(pool, history, seed))

        try:
            every_history()
        finally:
            runner.run(pool.close())


async def test_a_row_has_the_root_that_it_had_and_is_not_there_before_it_was_recorded(
    pool: asyncpg.Pool,
) -> None:
    kept, reader, row = KeptMessages(), Reader(pool), UUID(int=1)
    before = await pool.fetchval("SELECT clock_timestamp()")
    await Writer(pool, kept).write(event(1, "child", "top"))
    pending = await pool.fetchval("SELECT clock_timestamp()")
    await Writer(pool, kept).write(event(2, "top"))
    await Recomputer(pool, kept).settle()
    now = await pool.fetchval("SELECT clock_timestamp()")
    assert await read_row_as_of(reader, row, before) is None
    assert await read_belief(reader, row, before) is None
    then, later = await read_row_as_of(reader, row, pending), await read_row_as_of(reader, row, now)
    assert then is not None and (then.root_job_id, then.origin) == (None, "PENDING")
    assert later is not None and (later.root_job_id, later.origin) == ("top", "RESOLVED")


async def test_before_its_retraction_a_claim_counts_and_after_its_revocation_again(
    pool: asyncpg.Pool,
) -> None:
    kept, reader, row = KeptMessages(), Reader(pool), UUID(int=1)
    writer, recomputer = Writer(pool, kept), Recomputer(pool, kept)
    times: list[datetime] = []
    for step in (
        [event(1, "child", "wrong"), event(2, "wrong"), event(3, "top"), event(4, "child", "top")],
        [retraction(8, 1)],
        [retraction(9, 1, retracted=False)],
    ):
        await writer.write(*step)
        await recomputer.settle()
        times.append(await pool.fetchval("SELECT clock_timestamp()"))
    track = EntityRef(type=EntityType.TRACK, id=UUID(int=1_000_001))
    claimed, taken_back = ("wrong", "RESOLVED", False), ("top", "RESOLVED", True)
    for at, expected in zip([*times, None], [claimed, taken_back, claimed, claimed], strict=True):
        root, _, is_retracted = expected
        if at is not None:
            one = await read_row_as_of(reader, row, at)
            assert one is not None and (one.root_job_id, one.origin, one.retracted) == expected
            assert not one.parent_conflict
            other = await read_row_as_of(reader, UUID(int=4), at)
            assert other is not None and other.parent_conflict is not is_retracted
        timeline = await read_timeline(reader, track, as_of=at)
        tree = await read_tree(reader, root, as_of=at)
        for found in (timeline, tree):
            (entry,) = [entry for entry in found.entries if entry.row.id == row]
            assert (entry.row.root_job_id, entry.row.origin, entry.row.retracted) == expected
            assert (entry.parent, entry.depth) == (root, 1)
            assert found.parents["child"] == root
        left = await read_tree(reader, "top" if root == "wrong" else "wrong", as_of=at)
        assert row not in {entry.row.id for entry in left.entries}


async def test_a_retraction_that_came_before_its_event_is_believed_from_the_beginning(
    pool: asyncpg.Pool,
) -> None:
    kept, reader = KeptMessages(), Reader(pool)
    await Writer(pool, kept).write(retraction(9, 1))
    await Writer(pool, kept).write(event(1, "child", "wrong"), event(2, "wrong"))
    await Recomputer(pool, kept).settle()
    now = await pool.fetchval("SELECT clock_timestamp()")
    found = await read_row_as_of(reader, UUID(int=1), now)
    assert found is not None and (found.root_job_id, found.origin, found.retracted) == ("child", "ROOT", True)


async def test_a_history_that_is_cut_while_it_is_read_is_refused(pool: asyncpg.Pool) -> None:
    kept = KeptMessages()
    await Writer(pool, kept).write(event(1, "child", "top"))
    pending = await pool.fetchval("SELECT clock_timestamp()")
    await Writer(pool, kept).write(event(2, "top"))
    await Recomputer(pool, kept).settle()

    class Cut(Reader):
        """Cuts the history before the roots of a time are read."""

        async def rows(self, name: str, *values: object, brief: bool = False) -> Sequence[Row]:
            if name == "roots_as_of":
                while await RootHistory(pool, keep=timedelta(0)).prune():
                    pass
            return await super().rows(name, *values, brief=brief)

    with pytest.raises(HistoryTooShortError):
        await read_tree(Cut(pool), "top", as_of=pending)
    with pytest.raises(HistoryTooShortError):
        await read_row_as_of(Reader(pool), UUID(int=1), pending)


async def test_a_time_before_the_history_is_refused_with_its_beginning(pool: asyncpg.Pool) -> None:
    await Writer(pool, KeptMessages()).write(event(1, "top"))
    since = await pool.fetchval("SELECT kept_since FROM history_start")
    reader, early = Reader(pool), since - timedelta(seconds=1)
    for read in (
        read_row_as_of(reader, UUID(int=1), early),
        read_tree(reader, "top", as_of=early),
        read_timeline(reader, EntityRef(type=EntityType.TRACK, id=UUID(int=1_000_001)), as_of=early),
    ):
        with pytest.raises(HistoryTooShortError, match="the history of roots begins at"):
            await read
