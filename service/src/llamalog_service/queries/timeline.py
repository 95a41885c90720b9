"""The timeline of an album: how it got into the database, and what happened to it afterwards."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from llamalog_schemas.events import EntityType
from llamalog_schemas.provenance import Origin
from llamalog_service.measures import SILENT, Measures
from llamalog_service.store.reader import Reader

MOST_ENTRIES = 10_000
"""Of a root job that filled half a catalogue nobody reads more at once."""

SLOW_SECONDS = 0.1
"""Slower than this, a timeline's queries have lost their indexes or their server its breath."""

_log = structlog.get_logger("llamalog.queries")

Parents = Mapping[str, str | None]
"""The parent that counts of each job, None for a job without a claim or never seen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log in a timeline.

    Attributes:
        at: the event's time, UTC without a zone.
        parent: the parent that counts of the row's job; of a row without a job the one that it names.
        claimed_parent: the parent that the row itself names.
        declared_root: what the row itself says about its root.
        origin: None for a row that nobody has looked at yet.
        depth: the jobs above the row's own, up to the topmost one named; 0 for the top itself, for a row
            without job and parent, and for every member of a cycle.
        category: a word of the contract, as are status and entity type; a legacy row may bear another.
        metadata: an object; of a legacy row any JSON.
        name: the title or the name that the event told, if it did.
    """

    id: UUID
    at: datetime
    category: str
    operation: str
    status: str
    entity_type: str | None
    entity_id: UUID | None
    album_id: UUID | None
    artist_id: UUID | None
    track_id: UUID | None
    name: str | None
    sources: tuple[str | None, ...]
    fields_enriched: tuple[str | None, ...]
    reason: str | None
    error_code: str | None
    error_message: str | None
    metadata: Any
    triggered_by: str | None
    user_id: str | None
    job: str | None
    parent: str | None
    claimed_parent: str | None
    root_job: str | None
    origin: Origin | None
    parent_conflict: bool
    declared_root: str | None
    revision: int
    depth: int

    @property
    def declaration_conflict(self) -> bool:
        """Whether the row declares another root than the one that was found."""
        return None not in (self.declared_root, self.root_job) and self.declared_root != self.root_job

    @property
    def healed(self) -> bool:
        """Whether what follows from other rows was corrected after the row was written."""
        return self.revision > 1


@dataclass(frozen=True, slots=True)
class Timeline:
    """An album's entries, oldest first; of equal times those higher up first.

    Attributes:
        entries: none for an album that the log does not know.
        parents: of every job in the entries and of every job above one.
        truncated: whether there are more entries, later ones, than were asked for.
    """

    album_id: UUID
    entries: tuple[Entry, ...]
    parents: Parents
    truncated: bool

    @property
    def title(self) -> str | None:
        """What the earliest entry about the album itself calls it."""
        named = (
            entry.name
            for entry in self.entries
            if entry.entity_type == EntityType.ALBUM and entry.album_id == self.album_id and entry.name
        )
        return next(named, None)


async def read_timeline(
    reader: Reader, album_id: UUID, *, limit: int = MOST_ENTRIES, measures: Measures = SILENT
) -> Timeline:
    """The timeline of an album: its rows, and all rows whose root is a root of one of them.

    Two queries, however deep the lineage.

    Args:
        limit: the most entries, the oldest ones.
        measures: told how long the queries took; a slow one is logged.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    began = time.perf_counter()
    records = await reader.rows("timeline_rows", album_id, limit + 1)
    jobs = {start for record in records if (start := _start(record)) is not None}
    found = await reader.rows("timeline_parents", list(jobs)) if jobs else ()
    seconds = time.perf_counter() - began
    measures.timeline(seconds)
    if seconds > SLOW_SECONDS:
        _log.warning("slow timeline", album=str(album_id), seconds=round(seconds, 3), rows=len(records))
    parents = {record["job"]: record["parent"] for record in found}
    depths = job_depths(parents)
    entries = [_entry(record, parents, depths) for record in records[:limit]]
    entries.sort(key=lambda entry: (entry.at, entry.depth, entry.id))
    return Timeline(album_id, tuple(entries), parents, truncated=len(records) > limit)


async def choose_album(reader: Reader, albums: Collection[UUID]) -> UUID | None:
    """The album whose timeline shows most, healed rows above all; None if the log knows none of them.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    chosen: UUID | None = await reader.value("album_to_show", list(albums))
    return chosen


def job_depths(parents: Parents) -> dict[str, int]:
    """The number of jobs above each; every job's ancestors must be among the keys.

    A cycle has no top: its members get 0.
    """
    depths: dict[str, int] = {}
    for start in parents:
        walk: dict[str, None] = {}
        job: str | None = start
        while job is not None and job not in depths and job not in walk:
            walk[job] = None
            job = parents[job]
        climbed = list(walk)
        if job in walk:
            ring = climbed.index(job)
            depths.update(dict.fromkeys(climbed[ring:], 0))
            climbed = climbed[:ring]
        above = -1 if job is None else depths[job]
        for below in reversed(climbed):
            above += 1
            depths[below] = above
    return depths


def _start(record: Mapping[str, Any]) -> str | None:
    job: str | None = record["job_id"]
    parent: str | None = record["parent_job_id"]
    return parent if job is None else job


def _entry(record: Mapping[str, Any], parents: Parents, depths: Mapping[str, int]) -> Entry:
    job, claimed = record["job_id"], record["parent_job_id"]
    if job is not None:
        depth, parent = depths[job], parents[job]
    else:
        depth, parent = (0 if claimed is None else depths[claimed] + 1), claimed
    metadata = record["metadata"]
    return Entry(
        id=record["id"],
        at=record["created_at"],
        category=record["category"],
        operation=record["operation"],
        status=record["status"],
        entity_type=record["entity_type"],
        entity_id=record["entity_id"],
        album_id=record["album_id"],
        artist_id=record["artist_id"],
        track_id=record["track_id"],
        name=_name(metadata),
        sources=tuple(record["sources"] or ()),
        fields_enriched=tuple(record["fields_enriched"] or ()),
        reason=record["reason"],
        error_code=record["error_code"],
        error_message=record["error_message"],
        metadata=metadata,
        triggered_by=record["triggered_by"],
        user_id=record["user_id"],
        job=job,
        parent=parent,
        claimed_parent=claimed,
        root_job=record["root_job_id"],
        origin=None if record["origin"] is None else Origin(record["origin"]),
        parent_conflict=record["parent_conflict"],
        declared_root=record["declared_root_job_id"],
        revision=record["revision"],
        depth=depth,
    )


def _name(metadata: Any) -> str | None:
    """A legacy row's metadata may be anything that is JSON."""
    if not isinstance(metadata, dict):
        return None
    named = metadata.get("title") or metadata.get("name")
    return named if isinstance(named, str) else None
