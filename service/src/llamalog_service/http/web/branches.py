"""Entries of the log as lines of a page: each with its depth, in the order in which they are shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from llamalog_schemas.events import EntityType
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.jobs import Tree
from llamalog_service.queries.lineage_tree import JobNode, lineage_trees
from llamalog_service.queries.lineages import Entry
from llamalog_service.queries.names import EntityRef, read_names
from llamalog_service.queries.rows import LogRow
from llamalog_service.queries.timeline import Timeline

_DEEPEST_SHIFT: Final = 24
"""Deeper lines are not moved further to the right; they say their depth."""

_TYPES: Final = frozenset(EntityType)


@dataclass(frozen=True, slots=True)
class Line:
    """A line: a row of the log, or a job of which this piece has only what is below it.

    Attributes:
        level: from 1 on.
        job: the row's; or the one that the line stands for.
        parent: the parent that counts of the row's job, as far as it is known here.
        row: None where the line stands for a job.
    """

    level: int
    job: str | None
    parent: str | None
    row: LogRow | None

    @property
    def shift(self) -> int:
        """How many steps the line is moved to the right."""
        return min(self.level - 1, _DEEPEST_SHIFT)


def listed(rows: Iterable[LogRow]) -> list[Line]:
    """Rows as they come, none below another."""
    return [Line(1, row.job_id, None if row.parent_conflict else row.parent_job_id, row) for row in rows]


def arranged(piece: Timeline | Tree, *, in_time: bool, top: int = 0) -> list[Line]:
    """A piece as lines, each as deep as it is below `top`.

    In the order of time, or each entry below those of the job that started its own. Then a job that said
    nothing in this piece has a line of its own above what it started, so that every line is below something;
    what is above `top` is left to the chain.
    """
    if in_time:
        return [_line(entry, top) for entry in piece.entries]
    return [line for tree in lineage_trees(piece.entries, piece.parents) for line in _downwards(tree, top)]


def _downwards(tree: JobNode, top: int) -> Iterator[Line]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        started = next((child.entries[0] for child in node.children if child.entries), None)
        yield from (_line(entry, top) for entry in node.entries)
        if not node.entries and started is not None and started.depth > top:
            yield Line(started.depth - top, node.job, None, None)
        waiting.extend(reversed(node.children))


def _line(entry: Entry, top: int) -> Line:
    return Line(max(entry.depth - top, 0) + 1, entry.row.job_id, entry.parent, entry.row)


async def names_in(reader: Reader, rows: Iterable[LogRow]) -> dict[UUID, str]:
    """What the entities are called that the rows name, as far as an event has said it.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    named = {ref for row in rows for ref in _refs(row)}
    return dict(await read_names(reader, named))


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
