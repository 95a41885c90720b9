"""`/ui`: the table of root jobs."""

from functools import partial
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_service.http.context import TheReader
from llamalog_service.http.ui.asking import Asked
from llamalog_service.http.ui.pages import render
from llamalog_service.http.ui.searching import first_found
from llamalog_service.http.ui.words import link
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
    after = asked.after()
    read = partial(read_root_jobs, reader, wanted, limit=_ROWS)
    found = None if asked.complaints else await first_found(lambda place: read(after=place), after)
    return render(
        request,
        "roots.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if found is None else HTTPStatus.OK,
        title="Root jobs",
        page="roots",
        asked=asked.texts,
        filtered=asked.is_filtered,
        complaints=asked.complaints,
        categories=Category,
        statuses=Status,
        entity_types=EntityType,
        many=_MANY,
        jobs=found.items if found else (),
        searched_to=found.searched_to if found else None,
        first_page=after is None,
        newest=link("/ui", **asked.texts),
        next=link("/ui", **asked.texts, after=found.next) if found and found.next else None,
        streams=[link("/logs/stream", rootsOnly=True)],
    )
