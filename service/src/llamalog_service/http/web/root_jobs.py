"""`/ui` and `/ui/find`: the table of root jobs, and the search field of the navigation bar."""

from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llamalog_service.http.context import ReaderDep
from llamalog_service.http.web.form_parser import FormQuery, search
from llamalog_service.http.web.formatting import entity_link, has_page, job_link, link
from llamalog_service.http.web.pages import render
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.jobs import read_job_state
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.root_jobs import COUNTED, RootFilter, read_root_jobs
from llamalog_service.queries.rows import read_row

routes = APIRouter()

_ROWS: Final = 50
_MANY: Final = COUNTED - 100
"""From so many rows below, there may be more than were counted."""


@routes.get("/ui")
async def root_jobs(request: Request, reader: ReaderDep) -> Response:
    """A page of the root jobs that match, the newest first."""
    form = FormQuery(request.query_params, RootFilter.__struct_encode_fields__)
    root_filter = form.filter(RootFilter)
    found = await search("/ui", form, partial(read_root_jobs, reader, root_filter, limit=_ROWS))
    return await render(
        request,
        "roots.html",
        found.status,
        title="Root jobs",
        page="roots",
        many=_MANY,
        jobs=found.items,
        newest=link("/ui", **form.texts),
        streams=[link("/logs/stream", rootsOnly=True)],
        **found.values,
    )


@routes.get("/ui/find")
async def find(request: Request, reader: ReaderDep) -> Response:
    """Redirect to the page of a known id or job, else to the root jobs that match."""
    text = request.query_params.get("q", "")
    stripped = text.strip()
    page = await _find_page(reader, text, stripped) if stripped else None
    return RedirectResponse(page or link("/ui", q=stripped), HTTPStatus.SEE_OTHER)


async def _find_page(reader: Reader, text: str, stripped: str) -> str | None:
    try:
        page = await _find_page_of_id(reader, UUID(stripped))
    except ValueError:
        page = None
    if page is not None:
        return page
    for job in dict.fromkeys((text, stripped)):  # a job's id may begin and end with blanks
        state = await read_job_state(reader, job)
        if state.seen_since is not None or state.is_named:
            return job_link(job)
    return None


async def _find_page_of_id(reader: Reader, entity_or_row: UUID) -> str | None:
    about = await read_logs(reader, LogFilter(entity_id=entity_or_row), limit=1)
    for row in about.items:
        if row.entity_type is not None and has_page(row.entity_type, entity_or_row):
            return entity_link(row.entity_type, entity_or_row)
    return f"/ui/logs/{entity_or_row}" if await read_row(reader, entity_or_row) is not None else None
