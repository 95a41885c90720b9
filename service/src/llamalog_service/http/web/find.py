"""`/ui/find`: one field for whatever somebody has in hand: an id, a job, a title."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llamalog_service.http.context import TheReader
from llamalog_service.http.web.formatting import entity_link, has_page, job_link, link
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.jobs import read_job_standing
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.rows import read_row

router = APIRouter()


@router.get("/ui/find")
async def find(request: Request, reader: TheReader) -> Response:
    """Lead to the page of an id or a job that the log knows, else to the root jobs that match."""
    said = request.query_params.get("q", "")
    sought = said.strip()
    page = await _page_of(reader, said, sought) if sought else None
    return RedirectResponse(page or link("/ui", q=sought), HTTPStatus.SEE_OTHER)


async def _page_of(reader: Reader, said: str, sought: str) -> str | None:
    try:
        page = await _page_of_id(reader, UUID(sought))
    except ValueError:
        page = None
    if page is not None:
        return page
    for job in dict.fromkeys((said, sought)):  # a job's id may begin and end with blanks
        standing = await read_job_standing(reader, job)
        if standing.seen_since is not None or standing.is_named:
            return job_link(job)
    return None


async def _page_of_id(reader: Reader, sought: UUID) -> str | None:
    about = await read_logs(reader, LogFilter(entity_id=sought), limit=1)
    for row in about.items:
        if row.entity_type is not None and has_page(row.entity_type, sought):
            return entity_link(row.entity_type, sought)
    return f"/ui/logs/{sought}" if await read_row(reader, sought) is not None else None
