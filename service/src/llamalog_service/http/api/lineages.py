"""`/timelines`, `/tree`, `/children`, `/chain`: lineages, downwards and upwards."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_service.http.api import examples
from llamalog_service.http.api.openapi import responses
from llamalog_service.http.api.routing import (
    AsOf,
    Boolean,
    Id,
    Job,
    PageDep,
    Type,
    json_response,
    router,
    rows_response,
)
from llamalog_service.http.context import ContextDep, ReaderDep
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import Chain, JobSummary, Tree, read_chain, read_children, read_tree
from llamalog_service.queries.paging import Page
from llamalog_service.queries.timeline import Timeline, read_timeline

routes = router("lineages")


@routes.get(
    "/timelines/{type}/{id}",
    summary="How an album, an artist or a track got into the catalogue, and what happened to it afterwards",
    responses=responses(
        Timeline,
        "Entries, oldest first; none for an entity that the log does not know.",
        example=examples.TIMELINE,
    ),
)
async def timeline(
    context: ContextDep,
    *,
    kind: Type,
    entity: Id,
    include_orphans: Annotated[
        Boolean,
        Query(
            alias="includeOrphans",
            description="Also rows that name the entity and whose root is not known.",
        ),
    ] = True,
    as_of: AsOf = None,
    page: PageDep,
) -> Response:
    """The rows of its lineage: those whose root is a root of a row that names it."""
    ref = EntityRef(type=kind, id=entity)
    found = await read_timeline(
        context.reader, ref, include_orphans=include_orphans, as_of=as_of, metrics=context.metrics, **page
    )
    return await rows_response(found, "entries")


@routes.get(
    "/tree",
    summary="Everything that a job led to",
    responses=responses(
        Tree, "Entries, oldest first, with their depth below the topmost job.", example=examples.TREE
    ),
)
async def tree(reader: ReaderDep, job: Job, page: PageDep, as_of: AsOf = None) -> Response:
    """The rows that have a root job as their root; below any other job, its descendants' rows."""
    return await rows_response(await read_tree(reader, job, as_of=as_of, **page), "entries")


@routes.get(
    "/children",
    summary="The jobs directly below a job",
    responses=responses(
        Page[JobSummary], "One entry a job, by the time of its first row.", example=examples.CHILDREN
    ),
)
async def children(reader: ReaderDep, job: Job, page: PageDep) -> Response:
    """One level of a large tree."""
    return json_response(await read_children(reader, job, **page))


@routes.get(
    "/chain",
    summary="What triggered a job",
    responses=responses(Chain, "The jobs above it, the topmost first, itself last.", example=examples.CHAIN),
)
async def chain(reader: ReaderDep, job: Job) -> Response:
    """Its parent, that one's parent, and so on, up to the topmost job that is named."""
    return json_response(await read_chain(reader, job))
