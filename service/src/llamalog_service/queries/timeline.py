"""The timeline of an album, an artist or a track: how it got here, and what happened to it afterwards."""

import time
from datetime import datetime

import structlog
from msgspec import Struct

from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.as_of import read_past
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.lineages import MAX_ABOVE, LineageEntry, Parents, lineage_page
from llamalog_service.queries.paging import DEFAULT_LIMIT, MAX_BYTES, OLDEST, Cursor, at_most
from llamalog_service.queries.rows import MAX_NAME, cut
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

SLOW_SECONDS = 0.1
"""Slower than this, a timeline's queries lack their indexes, or the server is overloaded."""

_log = structlog.get_logger("llamalog.queries")


class Timeline(Struct, frozen=True, kw_only=True, rename="camel"):
    """Entries oldest first; of equal times those higher up first.

    Attributes:
        name: the newest title or name that an event about the entity carried.
        entries: none for an entity that the log does not know.
        parents: of every job in the entries and of every job above one, of the nearest `MAX_ABOVE`.
        longer: whether there are more above; depths are then below the topmost one returned.
        next: the cursor of the next page; null at the end.
    """

    entity: EntityRef
    name: str | None
    entries: tuple[LineageEntry, ...]
    parents: Parents
    longer: bool
    next: str | None


async def read_timeline(
    reader: Reader,
    entity: EntityRef,
    *,
    include_orphans: bool = True,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
    brief: bool = False,
    as_of: datetime | None = None,
    metrics: Metrics = NULL_METRICS,
) -> Timeline:
    """The timeline of an entity: the rows whose root is a root of one that names it.

    One query, however deep the lineage.

    Args:
        include_orphans: whether rows that name the entity and have no known root belong to it too.
        brief: whether long values are cut, or left out, as lists show them.
        as_of: with the roots of this time; None: of now.
        metrics: gets the query's duration; a slow query is logged, too.

    Raises:
        HistoryTooShortError: the history does not reach back to `as_of`.
    """
    began = time.perf_counter()
    limit, position = at_most(limit), after or OLDEST
    records = await reader.rows(
        "timeline_rows" if as_of is None else "timeline_rows_as_of",
        position.at,
        not position.is_root_job,
        position.row,
        limit + 1,
        MAX_BYTES,
        MAX_ABOVE,
        entity.id,
        str(entity.type),
        include_orphans,
        *(() if as_of is None else (as_of,)),
        brief=brief,
    )
    seconds = time.perf_counter() - began
    metrics.timeline(seconds)
    if seconds > SLOW_SECONDS:
        _log.warning(
            "slow timeline", type=entity.type, id=str(entity.id), seconds=round(seconds, 3), rows=len(records)
        )
    past = None if as_of is None else await read_past(reader, records, as_of)
    if past is not None:
        records = past.records
    page = lineage_page(records, limit, brief=brief, parents=None if past is None else past.parents)
    name = cut(records[0]["entity_name"], MAX_NAME) if records else None
    return Timeline(entity=entity, name=name, **page._asdict())
