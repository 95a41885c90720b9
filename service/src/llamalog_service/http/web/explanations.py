"""`/ui/logs/…/explanation` and `/ui/explanation`: why a row or a job has its root."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.context import ReaderDep
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.form_parser import FormQuery
from llamalog_service.http.web.formatting import link, visible
from llamalog_service.http.web.pages import no_such_job, no_such_row, render
from llamalog_service.queries.explanations import Explanation, explain_job, explain_row

routes = APIRouter()

_FIELDS: Final = ("job",)


@routes.get("/ui/logs/{row_id}/explanation")
async def of_row(request: Request, reader: ReaderDep, row_id: UUID) -> Response:
    """The explanation of a row."""
    found = await explain_row(reader, row_id)
    if found is None:
        raise no_such_row(row_id)
    return await _page(request, found, f"the row {row_id}", f"/logs/{row_id}/explanation")


@routes.get("/ui/explanation")
async def of_job(request: Request, reader: ReaderDep) -> Response:
    """The explanation of a job."""
    form = FormQuery(request.query_params, _FIELDS)
    form.check()
    job = form.text("job")
    if job is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "No job was named. The address is /ui/explanation?job=…")
    found = await explain_job(reader, job)
    if found is None:
        raise no_such_job(job)
    return await _page(request, found, f"the job {visible(job)}", link("/explanation", job=job))


async def _page(request: Request, found: Explanation, subject: str, json: str) -> Response:
    return await render(
        request,
        "explanation.html",
        title=f"Why {subject} has its root",
        page="logs",
        found=found,
        subject=subject,
        json=json,
    )
