"""`/root-jobs`, `/entities`, `/producers`, `/counts`: sums of the log by root job, entity, producer, time."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_service.http.api import examples
from llamalog_service.http.api.openapi import responses
from llamalog_service.http.api.routing import (
    Id,
    Limit,
    PageDep,
    Since,
    Text,
    Timestamp,
    Type,
    Until,
    Whole,
    json_response,
    label,
    router,
    search,
)
from llamalog_service.http.context import ReaderDep
from llamalog_service.queries.counts import (
    Bucket,
    Counts,
    ProducerCounts,
    read_counts,
    read_producers,
)
from llamalog_service.queries.entities import EntityRef, EntitySummary, read_entity_summary
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page
from llamalog_service.queries.root_jobs import RootFilter, RootJob, read_root_jobs

routes = router("summaries")

_MAX_HOURS = 24 * 366


@routes.get(
    "/root-jobs",
    summary="The jobs that started something",
    responses=responses(
        Page[RootJob],
        "The newest first. A page may be short, or empty, though there are more: `next` is set then, and "
        "`searchedTo` says how far the search went.",
        example=examples.ROOT_JOBS,
    ),
)
async def root_jobs(
    reader: ReaderDep,
    *,
    category: Annotated[Text | None, label("CREATED, LINKED, ENRICHED, …", "CREATED")] = None,
    status: Annotated[Text | None, label("SUCCESS, FAILED, NO_DATA_AVAILABLE, …", "FAILED")] = None,
    entity_type: Annotated[EntityType | None, Query(alias="entityType")] = None,
    user: Annotated[Text | None, search("The user's id.", "user-7")] = None,
    since: Since = None,
    until: Until = None,
    q: Annotated[
        Text | None, search("In name, operation or job, ignoring case; or the entity's id.", "Lemonade")
    ] = None,
    page: PageDep,
) -> Response:
    """Each with its first row, the number of jobs below it, and of those that failed."""
    root_filter = RootFilter(
        category=category,
        status=status,
        entity_type=entity_type,
        user=user,
        since=since,
        until=until,
        q=q,
    )
    return json_response(await read_root_jobs(reader, root_filter, **page))


@routes.get(
    "/entities/{type}/{id}",
    summary="An album, an artist or a track, in a few lines",
    responses=responses(EntitySummary, "Without rows for an entity that no event is about."),
)
async def entity(
    reader: ReaderDep,
    kind: Type,
    entity: Id,
    recent_hours: Annotated[
        Whole, Query(alias="recentHours", ge=1, le=_MAX_HOURS, description="How long ago is recently.")
    ] = 24,
) -> Response:
    """First created, first linked and by which root, last enriched, last failure, retries."""
    ref = EntityRef(type=kind, id=entity)
    return json_response(await read_entity_summary(reader, ref, recent=timedelta(hours=recent_hours)))


@routes.get(
    "/producers",
    summary="The producers of the log",
    responses=responses(ProducerCounts, "Those of the most rows first; every row of the log is counted."),
)
async def producers(reader: ReaderDep, limit: Limit = DEFAULT_LIMIT) -> Response:
    """`/logs?producer=…` has the rows of one, `/dead-letters/messages?producer=…` what of it was refused."""
    return json_response(await read_producers(reader, limit=limit))


@routes.get(
    "/counts",
    summary="Rows by category over time",
    responses=responses(Counts, "Times without rows are left out."),
)
async def counts(
    reader: ReaderDep,
    since: Annotated[Timestamp, Query(description="From this time on.", examples=["2026-02-01T00:00:00Z"])],
    until: Annotated[Timestamp, Query(description="Before this time.", examples=["2026-03-01T00:00:00Z"])],
    bucket: Annotated[Bucket, Query(description="The length of a bucket; UTC.")] = Bucket.DAY,
) -> Response:
    """By the events' times; at most 1,000 buckets."""
    return json_response(await read_counts(reader, since=since, until=until, bucket=bucket))
