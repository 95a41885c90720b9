"""`/timelines`, `/tree`, `/children`, `/chain`: how things came to be, downwards and upwards."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_service.http.api import examples
from llamalog_service.http.api.parameters import CursorText, Id, Job, Limit, Type, YesOrNo, cursor
from llamalog_service.http.api.responses import answer, answers
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import TheMeasures, TheReader
from llamalog_service.queries.jobs import Chain, JobSummary, Tree, read_chain, read_children, read_tree
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page
from llamalog_service.queries.timeline import EntityRef, Timeline, read_timeline

router = strict_router("lineages")


@router.get(
    "/timelines/{type}/{id}",
    summary="How an album, an artist or a track got into the catalogue, and what happened to it afterwards",
    responses=answers(
        Timeline,
        "Entries, oldest first; none for an entity that the log does not know.",
        example=examples.TIMELINE,
    ),
)
async def timeline(
    reader: TheReader,
    *,
    metrics: TheMeasures,
    kind: Type,
    entity: Id,
    include_orphans: Annotated[
        YesOrNo,
        Query(
            alias="includeOrphans",
            description="Also rows that name the entity and whose root is not known.",
        ),
    ] = True,
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response:
    """The rows of its lineage: those whose root is a root of a row that names it."""
    return answer(
        await read_timeline(
            reader,
            EntityRef(type=kind, id=entity),
            include_orphans=include_orphans,
            limit=limit,
            after=cursor(after),
            metrics=metrics,
        )
    )


@router.get(
    "/tree",
    summary="Everything that a job led to",
    responses=answers(
        Tree, "Entries, oldest first, with their depth below the topmost job.", example=examples.TREE
    ),
)
async def tree(
    reader: TheReader, job: Job, limit: Limit = DEFAULT_LIMIT, after: CursorText = None
) -> Response:
    """Of a root, what has it as its root; of any other job, what hangs on it."""
    return answer(await read_tree(reader, job, limit=limit, after=cursor(after)))


@router.get(
    "/children",
    summary="The jobs directly below a job",
    responses=answers(
        Page[JobSummary], "A line for each, by the time that it first spoke.", example=examples.CHILDREN
    ),
)
async def children(
    reader: TheReader, job: Job, limit: Limit = DEFAULT_LIMIT, after: CursorText = None
) -> Response:
    """For whoever opens a large tree piece by piece."""
    return answer(await read_children(reader, job, limit=limit, after=cursor(after)))


@router.get(
    "/chain",
    summary="What triggered a job",
    responses=answers(Chain, "The jobs above it, the topmost first, itself last.", example=examples.CHAIN),
)
async def chain(reader: TheReader, job: Job) -> Response:
    """Its parent, that one's parent, and so on, up to the topmost job that is named."""
    return answer(await read_chain(reader, job))
