"""`/logs`: rows by filter, one row, and rows as they are recorded."""

from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Query
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_schemas.provenance import Origin
from llamalog_service.http.api import examples
from llamalog_service.http.api.openapi import responses, stream_responses
from llamalog_service.http.api.routing import (
    AsOf,
    Boolean,
    PageDep,
    Since,
    Text,
    Until,
    Uuid,
    json_response,
    label,
    router,
    rows_response,
    search,
)
from llamalog_service.http.context import ClientDep, ContextDep, ReaderDep
from llamalog_service.http.problems import not_found
from llamalog_service.http.streams import log_events
from llamalog_service.queries.as_of import read_row_as_of
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import Page
from llamalog_service.queries.rows import LogRow, read_row

routes = router("logs")


async def _log_filter(
    *,
    category: Annotated[Text | None, label("CREATED, LINKED, ENRICHED, …", "LINKED")] = None,
    status: Annotated[Text | None, label("SUCCESS, FAILED, NO_DATA_AVAILABLE, …", "FAILED")] = None,
    entity_type: Annotated[EntityType | None, Query(alias="entityType")] = None,
    entity_id: Annotated[Uuid | None, Query(alias="entityId", description="Rows about this entity.")] = None,
    operation: Annotated[
        Text | None, label("The whole of it, or how it begins with `*` at its end.", "track:created:*")
    ] = None,
    source: Annotated[Text | None, label("One of the sources that a row names.", "MUSICBRAINZ")] = None,
    user: Annotated[Text | None, search("The user's id.", "user-7")] = None,
    job: Annotated[
        Text | None, Query(min_length=1, max_length=MAX_JOB_LENGTH, description="Rows of this job.")
    ] = None,
    root: Annotated[
        Text | None, Query(min_length=1, max_length=MAX_JOB_LENGTH, description="Rows with this root.")
    ] = None,
    origin: Annotated[Origin | None, Query(description="How the root is known, or why it is not.")] = None,
    since: Since = None,
    until: Until = None,
    error: Annotated[Text | None, search("In the error's message or code, ignoring case.", "timeout")] = None,
    roots_only: Annotated[
        Boolean, Query(alias="rootsOnly", description="Rows of jobs that are their own root.")
    ] = False,
    unknown_origin_only: Annotated[
        Boolean, Query(alias="unknownOriginOnly", description="Rows whose root is not known.")
    ] = False,
    producer: Annotated[
        Text | None,
        Query(min_length=1, max_length=1000, description="The producer: the whole `source` of the events."),
    ] = None,
    trace: Annotated[
        Text | None,
        Query(pattern="^[0-9a-f]{32}$", description="The id of the trace that the events were published in."),
    ] = None,
    q: Annotated[
        Text | None, search("In name, operation, job, error or reason, ignoring case.", "Lemonade")
    ] = None,
) -> LogFilter:
    return LogFilter(**locals())


LogFilterDep = Annotated[LogFilter, Depends(_log_filter)]


@routes.get(
    "/logs",
    summary="Rows of the log by filter",
    responses=responses(
        Page[LogRow],
        "Rows in the order of time. A page may be short, or empty, though there are more: `next` is set "
        "then, and `searchedTo` says how far the search went.",
        example=examples.ROWS,
    ),
)
async def logs(
    reader: ReaderDep,
    log_filter: LogFilterDep,
    order: Annotated[Literal["newest", "oldest"], Query(description="Which come first.")] = "newest",
    *,
    page: PageDep,
) -> Response:
    """Rows that match all given parameters."""
    found = await read_logs(reader, log_filter, newest_first=order == "newest", **page)
    return await rows_response(found, "items")


@routes.get(
    "/logs/stream",
    summary="Rows as they are recorded and corrected",
    response_class=Response,
    responses=stream_responses(
        "Events: `row` (a row as in `/logs`; `revision` above 1: it was corrected), `live` (from now "
        "on nothing is missed), `waiting` (Kafka does not answer; the stream resumes by itself), "
        "`failed` (an error ended the feed; it is restarted), `gap` (rows were missed: read them from "
        "`/logs`).",
        'event: live\ndata: {}\n\nevent: row\nid: 5f0c1a2b-17\ndata: {"id": "0199…", "revision": 1}\n\n',
    ),
)
async def log_stream(
    context: ContextDep,
    client: ClientDep,
    log_filter: LogFilterDep,
    last_event_id: Annotated[
        Text | None,
        Header(
            alias="Last-Event-ID",
            max_length=60,
            description="Continue behind this event, where it is still known.",
        ),
    ] = None,
) -> Response:
    """Server-sent events, with the filters of `/logs`; `searchedTo` and pages have no meaning here.

    The same row may come twice: keep the highest `revision` of an `id`.
    """
    return context.streams.response(log_events(context.services.feed, log_filter, last_event_id), client)


@routes.get(
    "/logs/{id}",
    summary="A row of the log",
    responses=responses(LogRow, "The row.", example=examples.ROW, not_found="There is no such row."),
)
async def log(
    reader: ReaderDep,
    row: Annotated[Uuid, Path(alias="id", description="The row's id: that of its event.")],
    as_of: AsOf = None,
) -> Response:
    """All columns of a row."""
    found = await (read_row(reader, row) if as_of is None else read_row_as_of(reader, row, as_of))
    if found is None:
        then = "" if as_of is None else f" that was recorded by {as_of:%Y-%m-%d %H:%M:%S %Z}"
        raise not_found(f"The log has no row {row}{then}.")
    return json_response(found)
