"""`/logs`: the rows by what they say, one row, and rows as they come."""

from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Query
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_schemas.provenance import Origin
from llamalog_service.http.api import examples
from llamalog_service.http.api.parameters import (
    CursorText,
    Limit,
    Since,
    Text,
    Until,
    Uuid,
    YesOrNo,
    cursor,
    search,
    word,
)
from llamalog_service.http.api.responses import answer, answers, streams
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import TheContext, TheReader
from llamalog_service.http.live_stream import log_events
from llamalog_service.http.problems import not_found
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page
from llamalog_service.queries.rows import LogRow, read_row

router = strict_router("logs")


def log_filter(
    *,
    category: Annotated[Text | None, word("CREATED, LINKED, ENRICHED, …", "LINKED")] = None,
    status: Annotated[Text | None, word("SUCCESS, FAILED, NO_DATA_AVAILABLE, …", "FAILED")] = None,
    entity_type: Annotated[EntityType | None, Query(alias="entityType")] = None,
    entity_id: Annotated[Uuid | None, Query(alias="entityId", description="Rows about this entity.")] = None,
    operation: Annotated[
        Text | None, word("The whole of it, or how it begins with `*` at its end.", "track:created:*")
    ] = None,
    source: Annotated[Text | None, word("One of the sources that a row names.", "MUSICBRAINZ")] = None,
    user: Annotated[Text | None, search("The user's id.", "user-7")] = None,
    job: Annotated[
        Text | None, Query(min_length=1, max_length=MAX_JOB_LENGTH, description="Rows that bear this job.")
    ] = None,
    root: Annotated[
        Text | None, Query(min_length=1, max_length=MAX_JOB_LENGTH, description="Rows whose root this is.")
    ] = None,
    origin: Annotated[Origin | None, Query(description="How the root is known, or why it is not.")] = None,
    since: Since = None,
    until: Until = None,
    error: Annotated[
        Text | None, search("In the error's message or code, whatever the case.", "timeout")
    ] = None,
    roots_only: Annotated[
        YesOrNo, Query(alias="rootsOnly", description="Rows of jobs that are their own root.")
    ] = False,
    unknown_origin_only: Annotated[
        YesOrNo, Query(alias="unknownOriginOnly", description="Rows whose root is not known.")
    ] = False,
    q: Annotated[
        Text | None, search("In name, operation, job, error or reason, whatever the case.", "Lemonade")
    ] = None,
) -> LogFilter:
    """All that is given must hold."""
    return LogFilter(
        category=category,
        status=status,
        entity_type=entity_type,
        entity_id=entity_id,
        operation=operation,
        source=source,
        user=user,
        job=job,
        root=root,
        origin=origin,
        since=since,
        until=until,
        error=error,
        roots_only=roots_only,
        unknown_origin_only=unknown_origin_only,
        q=q,
    )


TheFilter = Annotated[LogFilter, Depends(log_filter)]


@router.get(
    "/logs",
    summary="Rows of the log by what they say",
    responses=answers(
        Page[LogRow],
        "Rows in the order of time. A page may be short, or empty, though there are more: `next` says so, "
        "and `searchedTo` how far was looked.",
        example=examples.ROWS,
    ),
)
async def logs(
    reader: TheReader,
    wanted: TheFilter,
    order: Annotated[Literal["newest", "oldest"], Query(description="Which come first.")] = "newest",
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response:
    """All that is given must hold."""
    page = await read_logs(reader, wanted, limit=limit, after=cursor(after), newest_first=order == "newest")
    return answer(page)


@router.get(
    "/logs/stream",
    summary="Rows as they are recorded and corrected",
    response_class=Response,
    responses=streams(
        "Events: `row` (a row as `/logs` tells it; `revision` above 1: it was corrected), `live` (from now "
        "on nothing is missed), `waiting` (Kafka does not answer; it goes on by itself), "
        "`failed` (an error ended the feed; it is started again), `gap` (rows were missed: ask `/logs` for "
        "them).",
        'event: live\ndata: {}\n\nevent: row\nid: 5f0c1a2b-17\ndata: {"id": "0199…", "revision": 1}\n\n',
    ),
)
async def log_stream(
    context: TheContext,
    wanted: TheFilter,
    last_event_id: Annotated[
        Text | None,
        Header(
            alias="Last-Event-ID",
            max_length=60,
            description="Go on behind this event, where it is still known.",
        ),
    ] = None,
) -> Response:
    """Server-sent events, with the filters of `/logs`; `searchedTo` and pages have no meaning here.

    The same row may come twice: keep the highest `revision` of an `id`.
    """
    return context.streams.answer(log_events(context.operations.feed, wanted, last_event_id))


@router.get(
    "/logs/{id}",
    summary="A row of the log",
    responses=answers(LogRow, "The row.", example=examples.ROW, not_found="There is no such row."),
)
async def log(
    reader: TheReader, row: Annotated[Uuid, Path(alias="id", description="The row's id: that of its event.")]
) -> Response:
    """All that is known of it."""
    found = await read_row(reader, row)
    if found is None:
        raise not_found(f"The log has no row {row}.")
    return answer(found)
