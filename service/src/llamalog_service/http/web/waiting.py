"""`/ui/unknown-origins` and `/ui/waiting-jobs`: rows without a known root, and what they wait for."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from llamalog_schemas.provenance import Origin
from llamalog_service.http.context import TheReader
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import render
from llamalog_service.queries.counts import (
    COUNTED,
    NOT_LOOKED_AT,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.paging import Cursor

router = APIRouter()

_WAITING: Final = "/ui/waiting-jobs"

_REASONS: Final = {
    Origin.UNTRACKED.value: (
        "Names neither job nor parent",
        "Written outside of any job, or by a producer that does not tell it. Nothing will change that.",
    ),
    Origin.PENDING.value: (
        "Retries for a job never seen",
        "The topmost job named was never logged. Its root is known as soon as that job's event comes, "
        "or somebody adopts it.",
    ),
    Origin.CYCLE.value: (
        "Its jobs form a cycle",
        "Each names the next as its parent, and the last one the first. A further event has to decide it.",
    ),
    NOT_LOOKED_AT: (
        "Not looked at yet",
        "Another program put it into the table. The next sweep finds its root, within seconds or minutes.",
    ),
}


@router.get("/ui/unknown-origins")
async def unknown_origins(request: Request, reader: TheReader) -> Response:
    """The rows of unknown origin, by the reason."""
    found = await read_unknown_origins(reader)
    return render(
        request,
        "unknown_origins.html",
        page="unknown-origins",
        title="Unknown origins",
        rows=found.rows,
        most=max(found.by_reason.values(), default=1),
        reasons=[
            (reason, *_REASONS.get(reason, (reason, "")), number, _rows_of(reason))
            for reason, number in found.by_reason.items()
        ],
    )


@router.get(_WAITING)
async def waiting_jobs(
    request: Request, reader: TheReader, after: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """The jobs never seen that others name as their parent, those that are waited for longest first."""
    found = await read_waiting_jobs(reader, after=Cursor.parse(after) if after else None)
    return render(
        request,
        "waiting_jobs.html",
        page="waiting-jobs",
        title="Waiting jobs",
        jobs=found.items,
        counted=COUNTED,
        next=found.next and link(_WAITING, after=found.next),
    )


def _rows_of(reason: str) -> str:
    if reason == NOT_LOOKED_AT:
        return link("/ui/logs", unknownOriginOnly=True)
    return link("/ui/logs", origin=reason)
