"""`/ui/logs`: rows of the log by any of their fields, and a page for one row."""

from functools import partial
from typing import Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.context import ReaderDep
from llamalog_service.http.web.form_parser import FormQuery, search
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.lines import flat_lines, read_row_names
from llamalog_service.http.web.pages import no_such_row, render
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.retractions import WHOLE, read_retractions
from llamalog_service.queries.rows import read_row

routes = APIRouter()

_FIELDS: Final = [name for name in LogFilter.__struct_encode_fields__ if name != "q"]
_ROWS: Final = 50


@routes.get("/ui/logs")
async def logs(request: Request, reader: ReaderDep) -> Response:
    """A page of the rows that match, the newest first."""
    form = FormQuery(request.query_params, _FIELDS)
    log_filter = form.filter(LogFilter)
    parameters = msgspec.to_builtins(log_filter)
    found = await search("/ui/logs", form, partial(read_logs, reader, log_filter, limit=_ROWS, brief=True))
    return await render(
        request,
        "logs.html",
        found.status,
        title="Logs",
        page="logs",
        lines=flat_lines(found.items, await read_retractions(reader, found.items)),
        names=await read_row_names(reader, found.items),
        streams=[link("/logs/stream", **parameters | {"since": None, "until": None})],
        json=link("/logs", **parameters),
        **found.values,
    )


@routes.get("/ui/logs/{row_id}")
async def log(request: Request, reader: ReaderDep, row_id: UUID) -> Response:
    """All columns of a row."""
    row = await read_row(reader, row_id)
    if row is None:
        raise no_such_row(row_id)
    return await render(
        request,
        "log.html",
        title=f"Row {row_id}",
        page="logs",
        line=flat_lines([row], await read_retractions(reader, [row], most=WHOLE))[0],
        names=await read_row_names(reader, [row]),
        json=f"/logs/{row_id}",
    )
