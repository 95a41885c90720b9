"""A timeline, or a piece of a tree, as the tree of its jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from llamalog_service.queries.lineages import Entry, Parents, parent_in


@dataclass(slots=True)
class JobNode:
    """A job, what it said, and the jobs below it, those that spoke first before the others.

    Attributes:
        job: None for what was said outside of any job.
        entries: oldest first; none for a job of which only what is below it is among them.
    """

    job: str | None
    entries: list[Entry] = field(default_factory=list)
    children: list["JobNode"] = field(default_factory=list)


def lineage_trees(entries: Sequence[Entry], parents: Parents) -> list[JobNode]:
    """The topmost jobs, the oldest first; every entry is in one of the trees.

    Jobs of a cycle have no top: each is one itself. A row without a job stands below the parent that it
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
    done: set[str] = set()
    ring: set[str] = set()
    for start in parents:
        walk: dict[str, None] = {}
        job: str | None = start
        while job is not None and job not in done and job not in walk:
            walk[job] = None
            job = parent_in(parents, job)
        if job in walk:
            passed = list(walk)
            ring.update(passed[passed.index(job) :])
        done.update(walk)
    return ring


def _sort(tops: list[JobNode]) -> None:
    """Order siblings by when a job or one below it first spoke."""
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
