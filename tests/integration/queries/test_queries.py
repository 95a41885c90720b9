"""Reads on a real table: the timeline of an album, and the counts."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import NOTHING_READ, write_at_rest
from histories import NOON, event
from llamalog_schemas.events import EntityEvent, EntityType, Event, row_id
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.fold import fold
from llamalog_service.log.log_store import Positions
from llamalog_service.log.recompute import RecomputeStore, recompute_until_converged
from llamalog_service.postgres.pool import create_pool, prepare_connection
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import sql
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.lineages import JobNode, LineageEntry, lineage_trees
from llamalog_service.queries.paging import MAX_LIMIT
from llamalog_service.queries.timeline import read_timeline
from llamalog_tools.counts import choose_album, read_rows, read_work

ALBUM_ID, OTHER_ID = uuid4(), uuid4()
ALBUM = EntityRef(type=EntityType.ALBUM, id=ALBUM_ID)
OTHER_ALBUM = EntityRef(type=EntityType.ALBUM, id=OTHER_ID)


@dataclass
class Log:
    """A log of the test's own, and the statements that were run on it."""

    pool: asyncpg.Pool
    statements: list[str]

    @property
    def reader(self) -> Reader:
        return Reader(self.pool)

    async def write(self, events: Iterable[Event], positions: Positions = NOTHING_READ) -> None:
        """Write events in one transaction, resolved by their own jobs."""
        await write_at_rest(self.pool, fold(events).values(), positions)

    async def recompute(self, *jobs: str) -> None:
        await recompute_until_converged(RecomputeStore(self.pool), jobs)


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    statements: list[str] = []

    async def prepare(connection: asyncpg.Connection) -> None:
        await prepare_connection(connection)
        connection.add_query_logger(lambda query: statements.append(query.query))

    async with create_pool(database_url, min_size=0, max_size=1, init=prepare) as pool:
        yield Log(pool, statements)


def about(
    number: int,
    job: str | None = None,
    parent: str | None = None,
    *,
    album: EntityRef = ALBUM,
    at: float | None = None,
    title: str | None = None,
) -> EntityEvent:
    """An event that names an album."""
    plain = event(number, job, parent, at=at)
    changes: dict[str, Any] = {"album_id": album.id}
    if title is not None:
        changes |= {"entity_type": EntityType.ALBUM, "entity_id": album.id, "metadata": {"title": title}}
    return replace(plain, data=replace(plain.data, **changes))


def id_of(number: int) -> UUID:
    return row_id(event(number))


def jobs_and_depths(entries: Sequence[LineageEntry]) -> list[tuple[str | None, int]]:
    return [(entry.row.job_id, entry.depth) for entry in entries]


async def test_a_timeline_holds_the_albums_rows_and_all_that_its_root_jobs_led_to(log: Log) -> None:
    await log.write(
        [
            about(1, "create", title="Kind of Blue"),
            about(2, "enrich", "create"),
            event(3, "cache-image", "enrich"),
            about(4),
            about(5, "create-other", album=OTHER_ALBUM),
            event(6, "enrich-other", "create-other"),
            about(7, "review", "create-other"),
        ]
    )
    timeline = await read_timeline(log.reader, ALBUM)
    assert [entry.row.id for entry in timeline.entries] == [id_of(number) for number in range(1, 8)], (
        "the other album's lineage belongs to it, since one of its jobs spoke about this album"
    )
    other = await read_timeline(log.reader, OTHER_ALBUM)
    assert [entry.row.id for entry in other.entries] == [id_of(number) for number in (5, 6, 7)]
    assert timeline.name == "Kind of Blue"
    first, _, _, outside, *_ = (entry.row for entry in timeline.entries)
    assert (first.created_at, first.origin, first.root_job_id) == (
        NOON.replace(microsecond=1000),
        Origin.ROOT,
        "create",
    )
    assert (outside.job_id, outside.root_job_id, outside.origin) == (None, None, Origin.UNTRACKED)


async def test_an_album_that_the_log_does_not_know_has_an_empty_timeline(log: Log) -> None:
    await log.write([about(1, "create")])
    timeline = await read_timeline(log.reader, OTHER_ALBUM)
    assert timeline.entries == ()
    assert timeline.name is None
    assert lineage_trees(timeline.entries, timeline.parents) == []
    assert await choose_album(log.reader, [OTHER_ID]) is None


async def test_a_row_whose_parent_came_late_is_marked_as_corrected(log: Log) -> None:
    await log.write([about(3, "track", "enrich")])
    (lost,) = (await read_timeline(log.reader, ALBUM)).entries
    assert (lost.row.root_job_id, lost.row.origin, lost.depth) == (None, Origin.PENDING, 1)
    assert not lost.row.is_corrected

    await log.write([event(1, "create"), about(2, "enrich", "create")])
    await log.recompute("enrich")
    entries = (await read_timeline(log.reader, ALBUM)).entries
    assert jobs_and_depths(entries) == [("create", 0), ("enrich", 1), ("track", 2)]
    assert [entry.row.is_corrected for entry in entries] == [False, False, True]
    assert {entry.row.root_job_id for entry in entries} == {"create"}


@pytest.mark.parametrize("depth", [3, 400])
async def test_depths_are_true_and_cost_one_query_however_deep_the_lineage(log: Log, depth: int) -> None:
    chain = [
        event(number + 1, f"job-{number}", f"job-{number - 1}" if number else None) for number in range(depth)
    ]
    await log.write([*chain, about(depth + 1, "last", f"job-{depth - 1}")])
    await read_timeline(log.reader, ALBUM)
    log.statements.clear()
    timeline = await read_timeline(log.reader, ALBUM, limit=MAX_LIMIT)
    assert [entry.depth for entry in timeline.entries] == list(range(depth + 1))
    assert [query for query in log.statements if "llama_logs" in query] == [
        sql("timeline_rows"),
    ]

    node = lineage_trees(timeline.entries, timeline.parents)[0]
    for number in range(depth):
        assert node.job == f"job-{number}"
        (node,) = node.children
    assert (node.job, node.children) == ("last", [])


async def test_depth_is_counted_along_jobs_that_do_not_name_the_album(log: Log) -> None:
    await log.write([event(1, "enrich", "never-seen"), about(2, "track", "enrich")])
    timeline = await read_timeline(log.reader, ALBUM)
    assert jobs_and_depths(timeline.entries) == [("track", 2)]
    (top,) = lineage_trees(timeline.entries, timeline.parents)
    assert (top.job, top.entries, top.children[0].job) == ("never-seen", [], "enrich")


async def test_at_equal_times_the_root_stands_before_its_children(log: Log) -> None:
    await log.write(
        [
            about(3, "create", at=0),
            about(2, "enrich", "create", at=0),
            about(1, "track", "enrich", at=0),
        ]
    )
    timeline = await read_timeline(log.reader, ALBUM)
    assert jobs_and_depths(timeline.entries) == [("create", 0), ("enrich", 1), ("track", 2)]


async def test_jobs_of_a_cycle_have_no_depth_and_those_that_hang_off_it_have_one(log: Log) -> None:
    await log.write([about(1, "a", "b"), about(2, "b", "a"), about(3, "below", "b"), about(4, None, "below")])
    timeline = await read_timeline(log.reader, ALBUM)
    assert jobs_and_depths(timeline.entries) == [("a", 0), ("b", 0), ("below", 1), (None, 2)]
    assert {entry.row.origin for entry in timeline.entries} == {Origin.CYCLE}
    assert [top.job for top in lineage_trees(timeline.entries, timeline.parents)] == ["a", "b"]


async def test_every_entry_stands_once_in_the_trees_under_the_parent_that_counts(log: Log) -> None:
    await log.write(
        [
            about(1, "create"),
            about(2, "enrich", "create"),
            about(3, "enrich", "another"),
            about(4, None, "enrich"),
            about(5),
            about(6, "create"),
        ]
    )
    timeline = await read_timeline(log.reader, ALBUM)
    trees = lineage_trees(timeline.entries, timeline.parents)
    assert sorted(entry.row.id for node in nodes(trees) for entry in node.entries) == [
        id_of(number) for number in range(1, 7)
    ]
    create, outside = trees
    assert [entry.row.id for entry in create.entries] == [id_of(1), id_of(6)]
    assert [child.job for child in create.children] == ["enrich"]
    assert outside.job is None
    assert [entry.row.parent_conflict for entry in timeline.entries] == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]


def nodes(trees: list[JobNode]) -> list[JobNode]:
    return trees + [below for tree in trees for below in nodes(tree.children)]


async def test_a_timeline_longer_than_its_limit_is_marked(log: Log) -> None:
    await log.write([about(number, f"job-{number}") for number in range(1, 6)])
    timeline = await read_timeline(log.reader, ALBUM, limit=3)
    assert [entry.row.job_id for entry in timeline.entries] == ["job-1", "job-2", "job-3"]
    assert timeline.next is not None
    assert (await read_timeline(log.reader, ALBUM, limit=5)).next is None


async def test_the_album_chosen_is_one_with_a_corrected_row(log: Log) -> None:
    await log.write([about(1, "track", "create"), about(2, "other", album=OTHER_ALBUM)])
    assert await choose_album(log.reader, [OTHER_ID]) == OTHER_ID
    await log.write([about(3, "create")])
    await log.recompute("create")
    assert await choose_album(log.reader, [OTHER_ID, ALBUM_ID]) == ALBUM_ID


async def test_counts_are_by_origin_and_differ_by_what_was_added(log: Log) -> None:
    await log.write([event(1, "track", "enrich")], Positions("group", {("topic", 0): 4, ("topic", 1): 2}))
    before = await read_rows(log.reader)
    assert (before.by_origin, before.corrected, before.total) == ({"PENDING": 1}, 0, 1)

    await log.write([event(2, "enrich"), event(3)], Positions("group", {("topic", 0): 7}))
    await log.recompute("enrich")
    after = await read_rows(log.reader)
    assert after.by_origin == {"ROOT": 1, "RESOLVED": 1, "UNTRACKED": 1}
    assert after.since(before).by_origin == {"ROOT": 1, "RESOLVED": 1, "UNTRACKED": 1, "PENDING": -1}
    assert after.since(before).corrected == 1

    work = await read_work(log.reader, group="group", topic="topic")
    assert (work.messages_read, work.open_runs, work.unpublished) == (9, 0, 1)
    assert (await read_work(log.reader, group="another", topic="topic")).messages_read == 0
