"""Rows of a lineage in reading order, with their true depths, or as the tree of their jobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.paging import fitting, position_of
from llamalog_service.queries.rows import LogRow, brief_row, log_row

Parents = Mapping[str, str | None]
"""The parent that counts of each job, None for a job without a claim or never seen."""


MAX_ABOVE = 5_000
"""Of the jobs of a page and those above them the parents of so many are returned, the nearest first."""


class LineageEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row within its lineage.

    Attributes:
        depth: the jobs above the row's own, up to the topmost one returned; 0 for the top itself, for a row
            without job and parent, and for every member of a cycle.
        parent: the parent that counts of the row's job; of a row without a job the one that it names.
    """

    row: LogRow
    depth: int
    parent: str | None


class LineagePage(NamedTuple):
    """Some entries of a lineage, the parents of their jobs and of those above, and where to go on."""

    entries: tuple[LineageEntry, ...]
    parents: Parents
    longer: bool
    next: str | None


def lineage_page(
    records: Sequence[Row], limit: int, *, brief: bool = False, parents: Parents | None = None
) -> LineagePage:
    """The first of the rows that a query found, at most so many, with depths.

    Rows of one time stay together where they fit, so that they can be ordered by depth: a page ends before
    them rather than among them.

    Args:
        records: in the order of time, rows that call themselves a root job's first, then by id; one more
            than the limit, or one `beyond`, if there are more. One of them bears the parents of all.
        brief: whether the query was a brief one.
        parents: those that counted at another time than now.
    """
    kept = records[: _end(records, fitting(records, limit))]
    if parents is None:
        parents = next((record["parents"] for record in records if record["parents"] is not None), {})
    depths = job_depths(parents)
    to_row = brief_row if brief else log_row
    entries = [_entry(record, to_row(record), parents, depths) for record in kept]
    entries.sort(key=_reading_order)
    more = str(position_of(kept[-1])) if len(kept) < len(records) else None
    return LineagePage(tuple(entries), parents, is_cut(parents), more)


def is_cut(parents: Parents) -> bool:
    """Whether there are jobs above those whose parents are returned."""
    return any(above is not None and above not in parents for above in parents.values())


def parent_in(parents: Parents, job: str) -> str | None:
    """A job's parent, if that one's is returned as well: the topmost of a cut lineage have none."""
    above = parents[job]
    return above if above in parents else None


async def read_parents(reader: Reader, jobs: set[str], *, most: int) -> Parents:
    """The parents that count of these jobs, of their parents, and so on up to the tops: one query.

    Args:
        most: jobs whose parents are returned, the nearest first; there the walk ends.
    """
    if not jobs:
        return {}
    return {record["job"]: record["parent"] for record in await reader.rows("parents", list(jobs), most)}


def job_depths(parents: Parents) -> dict[str, int]:
    """The number of jobs above each, of those that are returned.

    A cycle has no top: its members get 0.
    """
    depths: dict[str, int] = {}
    for climbed, ring, end in _climbs(parents):
        depths.update(dict.fromkeys(ring, 0))
        above = -1 if end is None else depths[end]
        for below in reversed(climbed):
            above += 1
            depths[below] = above
    return depths


def _climbs(parents: Parents) -> Iterator[tuple[list[str], list[str], str | None]]:
    """Climb from every job, passing each once.

    Yields:
        The jobs passed below a cycle, those on the cycle that was met for the first time, and the job passed
        before (or on that cycle) at which the climb ended; None at a top.
    """
    passed: set[str] = set()
    for start in parents:
        walk: dict[str, None] = {}
        job: str | None = start
        while job is not None and job not in passed and job not in walk:
            walk[job] = None
            job = parent_in(parents, job)
        passed.update(walk)
        climbed = list(walk)
        ring = climbed.index(job) if job is not None and job in walk else len(climbed)
        yield climbed[:ring], climbed[ring:], job


def _end(records: Sequence[Row], limit: int) -> int:
    if len(records) <= limit:
        return len(records)
    end, time = limit, records[limit]["created_at"]
    while end and records[end - 1]["created_at"] == time:
        end -= 1
    return end or limit


def _entry(record: Row, row: LogRow, parents: Parents, depths: Mapping[str, int]) -> LineageEntry:
    job, claimed = record["job_id"], record["parent_job_id"]
    if job is not None:
        return LineageEntry(row=row, depth=depths[job], parent=parents[job])
    return LineageEntry(row=row, depth=0 if claimed is None else depths[claimed] + 1, parent=claimed)


def _reading_order(entry: LineageEntry) -> tuple[datetime, int, Any]:
    return entry.row.created_at, entry.depth, entry.row.id


@dataclass(slots=True)
class JobNode:
    """A job, its entries, and the jobs below it, ordered by their first entry.

    Attributes:
        job: None for entries without a job.
        entries: oldest first; none for a job of which only what is below it is among them.
    """

    job: str | None
    entries: list[LineageEntry] = field(default_factory=list)
    children: list["JobNode"] = field(default_factory=list)


def lineage_trees(entries: Sequence[LineageEntry], parents: Parents) -> list[JobNode]:
    """The topmost jobs, the oldest first; every entry is in one of the trees.

    Jobs of a cycle have no top: each is one itself. A row without a job comes below the parent that it
    names, in a node of its own, as does a row without either.
    """
    nodes: dict[str, JobNode] = {}
    tops: list[JobNode] = []
    ring = _on_cycles(parents)

    def parent_of(job: str) -> str | None:
        return None if job in ring else parent_in(parents, job)

    def node_of(job: str) -> JobNode:
        """The job's node, made with all nodes above it."""
        if job in nodes:
            return nodes[job]
        made = nodes[job] = below = JobNode(job)
        above = parent_of(job)
        while above is not None:
            was_there = above in nodes
            upper = nodes.setdefault(above, JobNode(above))
            upper.children.append(below)
            if was_there:
                return made
            below, above = upper, parent_of(above)
        tops.append(below)
        return made

    for entry in entries:
        if entry.row.job_id is not None:
            node_of(entry.row.job_id).entries.append(entry)
        elif entry.parent is not None:
            node_of(entry.parent).children.append(JobNode(None, [entry]))
        else:
            tops.append(JobNode(None, [entry]))
    _sort(tops)
    return tops


def _on_cycles(parents: Parents) -> set[str]:
    """The jobs from which the parents lead back to themselves."""
    return {job for _, ring, _ in _climbs(parents) for job in ring}


def _sort(tops: list[JobNode]) -> None:
    """Order siblings by the first entry of a job or one below it."""
    order = list(_downwards(tops))
    began: dict[int, datetime] = {}
    for node in reversed(order):
        times = [entry.row.created_at for entry in node.entries] + [
            began[id(child)] for child in node.children
        ]
        began[id(node)] = min(times)
        node.children.sort(key=lambda child: began[id(child)])
    tops.sort(key=lambda top: began[id(top)])


def _downwards(tops: list[JobNode]) -> Iterator[JobNode]:
    waiting = list(tops)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children)
