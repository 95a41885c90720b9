"""`/root-jobs`, `/entities`, `/counts`, `/unknown-origins`, `/waiting-jobs`: the log summed up."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_service.http.api import examples
from llamalog_service.http.api.parameters import (
    CursorText,
    Id,
    Limit,
    Moment,
    Since,
    Text,
    Type,
    Until,
    Whole,
    cursor,
    search,
    word,
)
from llamalog_service.http.api.responses import answer, answers
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import TheReader
from llamalog_service.queries.counts import (
    Bucket,
    Counts,
    UnknownOrigins,
    WaitingJob,
    read_counts,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.entities import EntitySummary, read_entity_summary
from llamalog_service.queries.names import EntityRef
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page
from llamalog_service.queries.root_jobs import RootFilter, RootJob, read_root_jobs

router = strict_router("catalogue")

_MAX_HOURS = 24 * 366


@router.get(
    "/root-jobs",
    summary="The jobs that started something",
    responses=answers(
        Page[RootJob],
        "The newest first. A page may be short, or empty, though there are more: `next` says so, and "
        "`searchedTo` how far was looked.",
        example=examples.ROOT_JOBS,
    ),
)
async def root_jobs(
    reader: TheReader,
    *,
    category: Annotated[Text | None, word("CREATED, LINKED, ENRICHED, …", "CREATED")] = None,
    status: Annotated[Text | None, word("SUCCESS, FAILED, NO_DATA_AVAILABLE, …", "FAILED")] = None,
    entity_type: Annotated[EntityType | None, Query(alias="entityType")] = None,
    user: Annotated[Text | None, search("The user's id.", "user-7")] = None,
    since: Since = None,
    until: Until = None,
    q: Annotated[
        Text | None, search("In name, operation or job, whatever the case; or the entity's id.", "Lemonade")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response:
    """What each began with, how much it led to, and how much of that failed."""
    wanted = RootFilter(
        category=category,
        status=status,
        entity_type=entity_type,
        user=user,
        since=since,
        until=until,
        q=q,
    )
    return answer(await read_root_jobs(reader, wanted, limit=limit, after=cursor(after)))


@router.get(
    "/entities/{type}/{id}",
    summary="What became of an album, an artist or a track, in a few lines",
    responses=answers(EntitySummary, "Without rows for an entity that no event is about."),
)
async def entity(
    reader: TheReader,
    kind: Type,
    entity: Id,
    recent_hours: Annotated[
        Whole, Query(alias="recentHours", ge=1, le=_MAX_HOURS, description="How long ago is recently.")
    ] = 24,
) -> Response:
    """First created, first linked and by which root, last enriched, last failure, retries."""
    ref = EntityRef(type=kind, id=entity)
    return answer(await read_entity_summary(reader, ref, recent=timedelta(hours=recent_hours)))


@router.get(
    "/counts",
    summary="Rows by category over time",
    responses=answers(Counts, "Times without rows are left out."),
)
async def counts(
    reader: TheReader,
    since: Annotated[Moment, Query(description="From this time on.", examples=["2026-02-01T00:00:00Z"])],
    until: Annotated[Moment, Query(description="Up to before this time.", examples=["2026-03-01T00:00:00Z"])],
    bucket: Annotated[Bucket, Query(description="For how long a time each count is; UTC.")] = Bucket.DAY,
) -> Response:
    """By the events' times; at most 1,000 buckets."""
    return answer(await read_counts(reader, since=since, until=until, bucket=bucket))


@router.get(
    "/unknown-origins",
    summary="Rows whose root is not known, by the reason",
    responses=answers(UnknownOrigins, "`/logs?unknownOriginOnly=true` and `/logs?origin=…` have the rows."),
)
async def unknown_origins(reader: TheReader) -> Response:
    """PENDING: the top was never seen; CYCLE; UNTRACKED: neither job nor parent; NOT_LOOKED_AT."""
    return answer(await read_unknown_origins(reader))


@router.get(
    "/waiting-jobs",
    summary="Jobs never seen that others name as their parent",
    responses=answers(Page[WaitingJob], "Those that are waited for longest first."),
)
async def waiting_jobs(reader: TheReader, limit: Limit = DEFAULT_LIMIT, after: CursorText = None) -> Response:
    """`POST /overrides` lets one count as a root."""
    return answer(await read_waiting_jobs(reader, limit=limit, after=cursor(after)))
