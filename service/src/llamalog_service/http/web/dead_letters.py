"""`/ui/dead-letters`: what was refused, counted by reason; each message as it came, with what was wrong."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from llamalog_service.http.context import TheOperations
from llamalog_service.http.dead_letters import DeadLetterFilter
from llamalog_service.http.web.form_parser import Asked
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import render

router = APIRouter()

_PATH: Final = "/ui/dead-letters"
_PAGE: Final = 50
_FIELDS: Final = ("reason", "topic", "since", "until")


@router.get(_PATH)
async def dead_letters(
    request: Request,
    operations: TheOperations,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """The dead letters that are asked for, the newest first, beside the counts of all."""
    asked = Asked(request.query_params, _FIELDS)
    wanted = DeadLetterFilter(
        reason=asked.text("reason"),
        topic=asked.text("topic"),
        since=asked.moment("since"),
        until=asked.moment("until"),
    )
    counts = await operations.count_dead_letters()
    page = None
    if not asked.complaints:
        page = await operations.read_dead_letters(wanted, limit=_PAGE, after=after)
    return render(
        request,
        "letters.html",
        HTTPStatus.OK if page is not None else HTTPStatus.UNPROCESSABLE_ENTITY,
        page="dead-letters",
        title="Dead letters",
        counts=counts,
        most=max(counts.by_reason.values(), default=1),
        asked=asked.texts,
        complaints=asked.complaints,
        filtered=asked.is_filtered,
        letters=page.items if page is not None else (),
        first_page=after is None,
        next=None if page is None or page.next is None else link(_PATH, **asked.texts, after=page.next),
    )
