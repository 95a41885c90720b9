"""Lines of a page: rows of the log, each with its depth, in display order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from llamalog_schemas.events import EntityType
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef, read_names
from llamalog_service.queries.jobs import Tree
from llamalog_service.queries.lineages import JobNode, LineageEntry, lineage_trees
from llamalog_service.queries.retractions import Retractions, StatedRetraction
from llamalog_service.queries.rows import LogRow
from llamalog_service.queries.timeline import Timeline

_MAX_INDENT: Final = 24
"""Deeper lines are not indented further; they show their depth as a number."""

_TYPES: Final = frozenset(EntityType)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the log, or a job of which this page has descendants only.

    Attributes:
        level: from 1 on.
        job: of the row, or the job that the line stands for.
        parent: the effective parent of the row's job, if this page knows it.
        row: None where the line stands for a job.
        retraction: of a retracted row.
    """

    level: int
    job: str | None
    parent: str | None
    row: LogRow | None
    retraction: StatedRetraction | None = None

    @property
    def indent(self) -> int:
        """The number of steps by which the line is indented."""
        return min(self.level - 1, _MAX_INDENT)


def flat_lines(rows: Iterable[LogRow], retractions: Retractions) -> list[Line]:
    """Rows in their given order, all on the first level."""
    return [
        Line(1, row.job_id, row.parent_job_id if row.parent_counts else None, row, retractions.get(row.id))
        for row in rows
    ]


def tree_lines(page: Timeline | Tree, retractions: Retractions, *, by_time: bool, top: int = 0) -> list[Line]:
    """A page of a tree as lines, with their depth below `top`.

    By time, or each entry below those of the job that started its own. In the latter order a job without an
    entry on this page has a line of its own above its children, so that every line has one above it; what is
    above `top` belongs to the chain.
    """
    if by_time:
        return [_line(entry, retractions, top) for entry in page.entries]
    trees = lineage_trees(page.entries, page.parents)
    return [line for tree in trees for line in _descend(tree, retractions, top)]


def _descend(tree: JobNode, retractions: Retractions, top: int) -> Iterator[Line]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        started = next((child.entries[0] for child in node.children if child.entries), None)
        yield from (_line(entry, retractions, top) for entry in node.entries)
        if not node.entries and started is not None and started.depth > top:
            yield Line(started.depth - top, node.job, None, None)
        waiting.extend(reversed(node.children))


def _line(entry: LineageEntry, retractions: Retractions, top: int) -> Line:
    row = entry.row
    return Line(max(entry.depth - top, 0) + 1, row.job_id, entry.parent, row, retractions.get(row.id))


async def read_row_names(reader: Reader, rows: Iterable[LogRow]) -> dict[UUID, str]:
    """The names of the entities that rows refer to, as far as events carried them."""
    refs = {ref for row in rows for ref in _refs(row)}
    return dict(await read_names(reader, refs))


def _refs(row: LogRow) -> Iterator[EntityRef]:
    if row.name is None and row.entity_id is not None and row.entity_type in _TYPES:
        yield EntityRef(type=EntityType(row.entity_type), id=row.entity_id)
    others = {
        EntityType.ALBUM: row.album_id,
        EntityType.ARTIST: row.artist_id,
        EntityType.TRACK: row.track_id,
    }
    for kind, other in others.items():
        if other is not None and other != row.entity_id:
            yield EntityRef(type=kind, id=other)
