"""Lineages deeper than intended: the walk upwards ends where it is documented to end."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import write_at_rest
from histories import event
from llamalog_schemas.events import EntityType
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import read_chain, read_tree
from llamalog_service.queries.timeline import read_timeline

ALBUM = EntityRef(type=EntityType.ALBUM, id=uuid4())
JOBS, FOLLOWED = 300, 40


class Walked(Reader):
    """A reader that notes how many rows the walks of its statements gave."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.jobs: list[int] = []

    async def run(self, statement: str, *values: object) -> Sequence[Row]:
        explained = await self._pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
        self.jobs += _walked(json.loads(explained)[0]["Plan"])
        return await super().run(statement, *values)


def _walked(plan: dict[str, Any]) -> list[int]:
    own = [plan["Actual Rows"]] if plan.get("Subplan Name") == "CTE lineage" else []
    return own + [rows for below in plan.get("Plans", ()) for rows in _walked(below)]


@pytest.fixture
async def reader(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> Walked:
    """The log of one long chain, of which so many jobs are followed; its last row is about the album."""
    for limit in ("timeline.MAX_ABOVE", "jobs.MAX_ABOVE", "jobs.MAX_LINKS"):
        monkeypatch.setattr(f"llamalog_service.queries.{limit}", FOLLOWED)
    jobs = [event(number, f"job-{number}", f"job-{number - 1}" if number else None) for number in range(JOBS)]
    jobs[-1] = replace(jobs[-1], data=replace(jobs[-1].data, album_id=ALBUM.id))
    await write_at_rest(pool, fold(jobs).values())
    # Of an unknown root the last row is all that names the album.
    await pool.execute(
        "UPDATE llama_logs SET root_job_id = NULL, origin = 'PENDING' WHERE album_id = $1", ALBUM.id
    )
    return Walked(pool)


async def test_a_page_follows_its_jobs_upwards_so_far_and_says_that_there_are_more(reader: Walked) -> None:
    timeline = await read_timeline(reader, ALBUM)
    tree = await read_tree(reader, f"job-{JOBS - 1}")
    for page in (timeline, tree):
        (entry,) = page.entries
        assert len(page.parents) == FOLLOWED
        assert (page.longer, entry.depth, entry.parent) == (True, FOLLOWED - 1, f"job-{JOBS - 2}")
    assert reader.jobs == [FOLLOWED, FOLLOWED], "the walk ended there"


async def test_a_page_that_has_all_jobs_above_says_so(reader: Walked) -> None:
    tree = await read_tree(reader, "job-0", limit=FOLLOWED // 2)
    assert not tree.longer
    assert [entry.depth for entry in tree.entries] == list(range(FOLLOWED // 2))


async def test_a_chain_is_followed_so_far_and_says_that_it_is_longer(reader: Walked) -> None:
    chain = await read_chain(reader, f"job-{JOBS - 1}")
    assert [link.job for link in chain.links] == [f"job-{number}" for number in range(JOBS - FOLLOWED, JOBS)]
    assert chain.longer
    assert FOLLOWED in reader.jobs and max(reader.jobs) == FOLLOWED
