"""Pages: what was there is neither repeated nor lost while rows arrive and roots change."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.log_oracle import LogOracle, Row, read_oracle
from harness.log_table import empty_tables
from harness.queried_histories import ENTITIES, come_to_rest, open_queried_pool, with_full_data
from histories import histories
from llamalog_schemas.events import (
    Event,
)
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.jobs import read_tree
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import Cursor, InvalidCursorError, Page
from llamalog_service.queries.timeline import read_timeline

Membership = Callable[[LogOracle], list[Row]]


def listings(dice: Random, pool: asyncpg.Pool) -> list[tuple[Callable[..., Awaitable[Any]], Membership]]:
    """Lists of rows by page, and what must be in each."""
    entity, job = dice.choice(ENTITIES), dice.choice(["job-a", "job-b", "job-c"])
    reader, name = Reader(pool), (entity.type, entity.id)
    return [
        (
            partial(read_timeline, reader, entity),
            lambda oracle: oracle.timeline(*name, orphans=True),
        ),
        (partial(read_tree, reader, job), lambda oracle: oracle.tree(job)),
        (partial(read_logs, reader, LogFilter()), lambda oracle: oracle.rows),
        (
            partial(read_logs, reader, LogFilter(unknown_origin_only=True), newest_first=False),
            lambda oracle: oracle.where(lambda row: row.root_job_id is None),
        ),
        (
            partial(read_logs, reader, LogFilter(root=job), newest_first=dice.random() < 0.5),
            lambda oracle: oracle.where(lambda row: row.root_job_id == job),
        ),
    ]


def ids_of(page: Any) -> list[UUID]:
    if isinstance(page, Page):
        return [row.id for row in page.items]
    return [entry.row.id for entry in page.entries]


def test_pages_neither_repeat_nor_lose_rows_that_were_there_all_the_time(database_url: str) -> None:
    async def play(pool: asyncpg.Pool, history: list[Event], dice: Random) -> None:
        await empty_tables(pool)
        there, coming = history[: len(history) // 2], history[len(history) // 2 :]
        await come_to_rest(pool, there)
        read, membership = dice.choice(listings(dice, pool))
        shown: list[UUID] = []
        always: set[UUID] | None = None
        after: Cursor | None = None
        while True:
            now = {row.id for row in membership(await read_oracle(pool))}
            always = now if always is None else always & now
            page = await read(limit=dice.randint(1, 3), after=after)
            shown += ids_of(page)
            if page.next is None:
                break
            after = Cursor.parse(page.next)
            there = [*there, *coming[:2]]
            coming = coming[2:]
            await come_to_rest(pool, there)
        assert len(shown) == len(set(shown)), "a row came twice"
        assert always <= set(shown), "a row was lost"

    with asyncio.Runner() as runner:
        pool = runner.run(open_queried_pool(database_url))

        @settings(
            max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
        )
        @given(history=histories(), seed=st.integers(0, 2**32))
        def every_history(history: list[Event], seed: int) -> None:
            runner.run(play(pool, with_full_data(history, seed), Random(seed)))

        try:
            every_history()
        finally:
            runner.run(pool.close())


@pytest.mark.parametrize(
    "text", ["", "nonsense", "AAAA", "ÄÖ", "aW5maW5pdHk", "MjAyNi0wMi0zMVQwMDowMDowMC94LzA"]
)
def test_a_cursor_that_no_answer_had_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError, match="leave it out"):
        Cursor.parse(text)


@pytest.mark.parametrize("at", ["2026-02-10T12:00:00.001", "infinity", "-infinity", "0044-03-15 10:00:00 BC"])
def test_a_cursor_is_written_as_a_text_and_read_again(at: str) -> None:
    cursor = Cursor(at, UUID(int=7), is_root_job=True)
    assert Cursor.parse(str(cursor)) == cursor
