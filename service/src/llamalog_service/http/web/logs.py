"""`/ui/logs`: rows of the log by any of their fields, and one row by itself."""

from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.http.context import TheReader
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.branches import listed, names_in
from llamalog_service.http.web.form_parser import Asked
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import render
from llamalog_service.http.web.search import search
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.rows import read_row

router = APIRouter()

_FIELDS: Final = (
    "category",
    "status",
    "origin",
    "operation",
    "source",
    "error",
    "since",
    "until",
    "entityType",
    "entityId",
    "job",
    "root",
    "user",
    "rootsOnly",
    "unknownOriginOnly",
)
_ROWS: Final = 50


@router.get("/ui/logs")
async def logs(request: Request, reader: TheReader) -> Response:
    """The rows that match, the newest first, a page of them."""
    asked = Asked(request.query_params, _FIELDS)
    wanted = _filter(asked)
    said = msgspec.to_builtins(wanted)
    found = await search("/ui/logs", asked, partial(read_logs, reader, wanted, limit=_ROWS))
    return render(
        request,
        "logs.html",
        found.status,
        title="Logs",
        page="logs",
        categories=Category,
        statuses=Status,
        origins=Origin,
        entity_types=EntityType,
        lines=listed(found.items),
        names=await names_in(reader, found.items),
        streams=[link("/logs/stream", **said | {"since": None, "until": None})],
        json=link("/logs", **said),
        **found.values,
    )


@router.get("/ui/logs/{row_id}")
async def log(request: Request, reader: TheReader, row_id: UUID) -> Response:
    """A row with all that it holds."""
    row = await read_row(reader, row_id)
    if row is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The log has no row {row_id}. The id may be mistyped, or its event has not been recorded yet.",
        )
    return render(
        request,
        "log.html",
        title=f"Row {row_id}",
        page="logs",
        line=listed([row])[0],
        names=await names_in(reader, [row]),
        json=f"/logs/{row_id}",
    )


def _filter(asked: Asked) -> LogFilter:
    return LogFilter(
        category=asked.word("category", Category),
        status=asked.word("status", Status),
        origin=asked.word("origin", Origin),
        operation=asked.text("operation"),
        source=asked.text("source"),
        error=asked.text("error"),
        since=asked.moment("since"),
        until=asked.moment("until"),
        entity_type=asked.word("entityType", EntityType),
        entity_id=asked.uuid("entityId"),
        job=asked.text("job"),
        root=asked.text("root"),
        user=asked.text("user"),
        roots_only=asked.flag("rootsOnly"),
        unknown_origin_only=asked.flag("unknownOriginOnly"),
    )
