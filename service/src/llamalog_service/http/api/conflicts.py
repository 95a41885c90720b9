"""`/conflicts`, `/cycles`: where events contradict each other."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_service.http.api.parameters import CursorText, Limit, Text, cursor
from llamalog_service.http.api.responses import answer, answers
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import TheReader
from llamalog_service.queries.conflicts import (
    ConflictCounts,
    Cycle,
    RowConflict,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
)
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page

router = strict_router("conflicts")


@router.get(
    "/conflicts",
    summary="How many rows contradict others",
    responses=answers(ConflictCounts, "Rival parents, roots declared otherwise, cycles."),
)
async def counts(reader: TheReader) -> Response:
    """None of them is lost: what counts follows from the rules, and every row keeps what it said."""
    return answer(await count_conflicts(reader))


@router.get(
    "/conflicts/parents",
    summary="Rows that claim another parent than the one that counts",
    responses=answers(Page[RowConflict], "The oldest first."),
)
async def rival_parents(
    reader: TheReader, limit: Limit = DEFAULT_LIMIT, after: CursorText = None
) -> Response:
    """Of a job's claims the earliest counts."""
    return answer(await parent_conflicts(reader, limit=limit, after=cursor(after)))


@router.get(
    "/conflicts/declarations",
    summary="Rows that declare another root than the one that was found",
    responses=answers(Page[RowConflict], "The oldest first."),
)
async def declarations(reader: TheReader, limit: Limit = DEFAULT_LIMIT, after: CursorText = None) -> Response:
    """The chain overrules a declaration."""
    return answer(await declaration_conflicts(reader, limit=limit, after=cursor(after)))


@router.get(
    "/cycles",
    summary="Jobs of which each names the next as its parent, the last one the first",
    responses=answers(Page[Cycle], "By the name of their first member."),
)
async def rings(
    reader: TheReader,
    limit: Limit = DEFAULT_LIMIT,
    after: Annotated[
        Text | None,
        Query(
            max_length=MAX_JOB_LENGTH,
            description="Go on behind the cycle with this first member: the `next`.",
        ),
    ] = None,
) -> Response:
    """What is on one, or hangs off one, has no root."""
    return answer(await cycles(reader, limit=limit, after=after or ""))
