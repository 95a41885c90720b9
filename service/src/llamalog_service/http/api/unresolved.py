"""`/unknown-origins`, `/waiting-jobs`, `/conflicts`, `/cycles`: unknown roots, contradictions, refusals."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_service.http.api.openapi import responses
from llamalog_service.http.api.routing import Limit, PageDep, Text, json_response, router
from llamalog_service.http.context import ReaderDep
from llamalog_service.queries.conflicts import (
    ConflictCounts,
    Cycle,
    RefusedRow,
    RowConflict,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
    refused_rows,
)
from llamalog_service.queries.counts import (
    UnknownOrigins,
    WaitingJob,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page

routes = router("unresolved")


@routes.get(
    "/unknown-origins",
    summary="Rows whose root is not known, by the reason",
    responses=responses(UnknownOrigins, "`/logs?unknownOriginOnly=true` and `/logs?origin=…` have the rows."),
)
async def unknown_origins(reader: ReaderDep) -> Response:
    """PENDING: the top was never seen; CYCLE; UNTRACKED: neither job nor parent; UNPROCESSED."""
    return json_response(await read_unknown_origins(reader))


@routes.get(
    "/waiting-jobs",
    summary="Jobs never seen that others name as their parent",
    responses=responses(Page[WaitingJob], "The longest awaited first."),
)
async def waiting_jobs(reader: ReaderDep, page: PageDep) -> Response:
    """`POST /overrides` adopts one as a root."""
    return json_response(await read_waiting_jobs(reader, **page))


@routes.get(
    "/conflicts",
    summary="The number of rows that contradict others, and of those that PostgreSQL refuses to correct",
    responses=responses(
        ConflictCounts, "Rival parents, roots declared otherwise, cycles; rows that cannot be corrected."
    ),
)
async def conflicts(reader: ReaderDep) -> Response:
    """Every row keeps its own claim; the rules decide which one counts. A refused row stays as it is."""
    return json_response(await count_conflicts(reader))


@routes.get(
    "/conflicts/parents",
    summary="Rows that claim another parent than the one that counts",
    responses=responses(Page[RowConflict], "The oldest first."),
)
async def rival_parents(reader: ReaderDep, page: PageDep) -> Response:
    """Of a job's claims the earliest counts."""
    return json_response(await parent_conflicts(reader, **page))


@routes.get(
    "/conflicts/declarations",
    summary="Rows that declare another root than the one that was found",
    responses=responses(Page[RowConflict], "The oldest first."),
)
async def declarations(reader: ReaderDep, page: PageDep) -> Response:
    """The chain overrules a declaration."""
    return json_response(await declaration_conflicts(reader, **page))


@routes.get(
    "/conflicts/refused",
    summary="Rows that PostgreSQL lets no writer change",
    responses=responses(Page[RefusedRow], "Those that were refused first come first."),
)
async def refused(reader: ReaderDep, page: PageDep) -> Response:
    """A constraint, a policy or a trigger of the table's owner protects them; they are tried again."""
    return json_response(await refused_rows(reader, **page))


@routes.get(
    "/cycles",
    summary="Jobs of which each names the next as its parent, the last one the first",
    responses=responses(Page[Cycle], "By the name of their first member."),
)
async def cycle_list(
    reader: ReaderDep,
    limit: Limit = DEFAULT_LIMIT,
    after: Annotated[
        Text | None,
        Query(
            max_length=MAX_JOB_LENGTH,
            description="Continue behind the cycle with this first member: the `next`.",
        ),
    ] = None,
) -> Response:
    """A job on a cycle, or below one, has no root."""
    return json_response(await cycles(reader, limit=limit, after=after or ""))
