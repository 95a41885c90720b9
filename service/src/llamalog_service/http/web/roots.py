"""`/ui`: the table of root jobs."""

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_service.http.context import TheReader
from llamalog_service.http.web.form_parser import Asked
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import render
from llamalog_service.http.web.search import search
from llamalog_service.queries.root_jobs import COUNTED, RootFilter, read_root_jobs

router = APIRouter()

_FIELDS: Final = ("q", "category", "status", "entityType", "user", "since", "until")
_ROWS: Final = 50
_MANY: Final = COUNTED - 100
"""Of so many rows below, and a few of the job's own, there may be more than were counted."""


@router.get("/ui")
async def root_jobs(request: Request, reader: TheReader) -> Response:
    """The root jobs that match, the newest first, a page of them."""
    asked = Asked(request.query_params, _FIELDS)
    wanted = RootFilter(
        category=asked.word("category", Category),
        status=asked.word("status", Status),
        entity_type=asked.word("entityType", EntityType),
        user=asked.text("user"),
        since=asked.moment("since"),
        until=asked.moment("until"),
        q=asked.text("q"),
    )
    found = await search("/ui", asked, partial(read_root_jobs, reader, wanted, limit=_ROWS))
    return render(
        request,
        "roots.html",
        found.status,
        title="Root jobs",
        page="roots",
        categories=Category,
        statuses=Status,
        entity_types=EntityType,
        many=_MANY,
        jobs=found.items,
        newest=link("/ui", **asked.texts),
        streams=[link("/logs/stream", rootsOnly=True)],
        **found.values,
    )
