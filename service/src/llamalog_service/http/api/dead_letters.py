"""`/dead-letters`: what was refused, and why."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from llamalog_service.http.api.parameters import CursorText, Limit, Moment, Text, search, word
from llamalog_service.http.api.responses import answer, answers
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import TheOperations
from llamalog_service.http.dead_letters import DeadLetterCounts, DeadLetterFilter, Letter
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page

router = strict_router("dead letters")

_NO_TOPIC = "There is no topic of dead letters."


@router.get(
    "/dead-letters",
    summary="The dead letters by reason",
    responses=answers(DeadLetterCounts, "The newest ones, counted.", conflict=_NO_TOPIC),
)
async def dead_letters(operations: TheOperations) -> Response:
    """Counted at most twice a minute, whoever asks."""
    return answer(await operations.count_dead_letters())


@router.get(
    "/dead-letters/letters",
    summary="Dead letters",
    responses=answers(
        Page[Letter],
        "The newest first. A page may be short, or empty, though there are more: `next` says so.",
        conflict=_NO_TOPIC,
    ),
)
async def letters(
    operations: TheOperations,
    *,
    reason: Annotated[Text | None, word("The reason's code.", "not-json")] = None,
    topic: Annotated[Text | None, search("The full name of the topic that it came from.")] = None,
    since: Annotated[Moment | None, Query(description="When it became a dead letter: then or later.")] = None,
    until: Annotated[Moment | None, Query(description="When it became one: before this time.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response:
    """Where each came from, why it was refused, and the beginning of what it holds."""
    wanted = DeadLetterFilter(reason=reason, topic=topic, since=since, until=until)
    return answer(await operations.read_dead_letters(wanted, limit=limit, after=after))
