"""The table of root jobs: what was started, and how much it led to."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from llamalog_schemas.events import EntityType
from llamalog_schemas.provenance import CategoryLabel, EntityTypeLabel, Origin, StatusLabel
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.entities import EntityRef, read_names
from llamalog_service.queries.logs import Driver, Search, containing
from llamalog_service.queries.paging import (
    DEFAULT_LIMIT,
    MAX_ROWS_SCANNED,
    NEWEST,
    Cursor,
    Page,
    at_most,
    before,
    position_of,
)
from llamalog_service.queries.rows import MAX_NAME, cut, origin_of, struct_of

COUNTED = 10_000
"""Rows under a root job are counted up to here."""

_SEARCH = Search(Driver.ROOTS, newest_first=True)


class RootFilter(Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter of root jobs: every given condition must hold for the job's first event.

    Attributes:
        since: at this time or later; without a zone it is UTC.
        until: before this time.
        q: a text in its name, operation or job, in any case; or the id of its entity.
    """

    category: str | None = None
    status: str | None = None
    entity_type: EntityType | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


class RootJob(Struct, frozen=True, kw_only=True, rename="camel"):
    """A root job, by its first event.

    Attributes:
        row: the id of its first event.
        origin: ROOT, or ADOPTED for a job never seen: then all fields are those of the first event below it.
        name: the title or the name in the event, else the newest of any event about the entity.
        status: of its first event; what became of the jobs below is in `failed`.
        children: the rows under it that are not its own, counted to `COUNTED`.
        failed: how many rows under it, its own included, are failures, counted to `COUNTED`.
        duration_ms: from its first event to the last one under it, of those that were counted.
        retracted: whether its first event was taken back.
    """

    job: str
    row: UUID
    origin: Origin
    entity_type: EntityTypeLabel | None
    entity_id: UUID | None
    name: str | None
    operation: str
    category: CategoryLabel
    status: StatusLabel
    children: int
    failed: int
    duration_ms: int
    user: str | None
    triggered_by: str | None
    created_at: datetime
    retracted: bool


async def read_root_jobs(
    reader: Reader, wanted: RootFilter, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[RootJob]:
    """The root jobs that match, the newest first.

    At most `MAX_ROWS_SCANNED` rows of root jobs are scanned for a page.
    """
    limit = at_most(limit)
    newest = NEWEST if wanted.until is None else Cursor(before(wanted.until).at, NEWEST.row)
    start = after or newest
    oldest = "-infinity" if wanted.since is None else naive_utc(wanted.since).isoformat()
    found = await reader.rows(
        "root_jobs", start.at, start.row, oldest, *_values(wanted), MAX_ROWS_SCANNED, limit + 1
    )
    items = await _named(reader, [_root_job(record) for record in found[:limit]])
    if len(found) > limit:
        return Page(items=items, next=str(position_of(found[limit - 1])))
    last = await reader.run(_SEARCH.last_scanned, start.at, start.row, oldest, None, MAX_ROWS_SCANNED - 1)
    if not last:
        return Page(items=items)
    behind = min([*last, *found[-1:]], key=lambda record: (record["created_at"], record["id"]))
    return Page(items=items, next=str(position_of(behind)), searched_to=behind["created_at"])


def _values(wanted: RootFilter) -> tuple[object, ...]:
    return (
        wanted.category,
        wanted.status,
        wanted.entity_type,
        wanted.user,
        containing(wanted.q),
        wanted.q,
        COUNTED,
    )


async def _named(reader: Reader, jobs: list[RootJob]) -> tuple[RootJob, ...]:
    """The jobs with the names of their entities where the first events have none."""
    nameless = {
        EntityRef(type=EntityType(job.entity_type), id=job.entity_id)
        for job in jobs
        if job.name is None and job.entity_id is not None and job.entity_type in set(EntityType)
    }
    names = await read_names(reader, nameless)
    return tuple(
        job if job.name is not None or job.entity_id is None else replace(job, name=names.get(job.entity_id))
        for job in jobs
    )


def _root_job(record: Row) -> RootJob:
    origin = origin_of(record["origin"])
    assert origin is not None  # noqa: S101 - the query selects roots
    return struct_of(
        RootJob,
        record,
        job=record["root_job_id"],
        row=record["id"],
        origin=origin,
        name=cut(record["name"], MAX_NAME),
        children=max(0, record["rows"] - record["own"]),
        duration_ms=round((record["last_at"] - record["created_at"]).total_seconds() * 1000),
        user=record["user_id"],
    )
