"""`/backfills`: asked for, looked at, followed, paused, resumed and cancelled."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Header, Path, Query, Request
from msgspec import Struct
from starlette.responses import Response

from llamalog_service.http.api.bodies import read_body
from llamalog_service.http.api.parameters import Limit, Text, Uuid, YesOrNo
from llamalog_service.http.api.responses import answer, answers, streams, takes
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.backfill_service import (
    REQUESTS,
    Asked,
    BackfillRequest,
    ask_of_run,
    find_run,
    start_backfill,
)
from llamalog_service.http.context import AnOperator, TheContext
from llamalog_service.http.run_stream import backfill_events
from llamalog_service.queries.backfills import BackfillRun, read_backfills
from llamalog_service.queries.paging import DEFAULT_LIMIT

router = strict_router("backfills")

Run = Annotated[Uuid, Path(alias="id", description="The run's id.")]

_EXAMPLES: Final = {
    "a dry run over everything": {"scope": {"kind": "everything"}, "dryRun": True},
    "one root": {"scope": {"kind": "root", "rootJobId": "album-create-42"}},
    "a month, counted first": {
        "scope": {"kind": "window", "from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        "expected": {"roots": 1537, "children": 30, "untracked": 2485},
        "batchSize": 2000,
        "rateLimit": 5000,
    },
}
_LOCATION: Final = {"Location": "Where the run is to be found."}
_DOES: Final = {
    "pause": "Pause a backfill at its next batch; what it has written stays",
    "resume": "Let a paused backfill go on where it was",
    "cancel": "End a backfill at its next batch; what it has written stays",
}


class BackfillList(Struct, frozen=True, kw_only=True, rename="camel"):
    """Backfills, the newest first."""

    items: tuple[BackfillRun, ...]


@router.get(
    "/backfills", summary="The newest backfills", responses=answers(BackfillList, "The newest first.")
)
async def backfills(
    context: TheContext,
    only_open: Annotated[
        YesOrNo, Query(alias="onlyOpen", description="Only those that have not ended.")
    ] = False,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """How far each is, what was asked of it, how it ended."""
    found = await read_backfills(context.reader, limit, only_open=only_open)
    return answer(BackfillList(items=tuple(found)))


@router.post(
    "/backfills",
    status_code=HTTPStatus.ACCEPTED,
    summary="Ask for a backfill of roots",
    responses=answers(
        Asked,
        "It was asked for, and starts in its turn.",
        status=HTTPStatus.ACCEPTED,
        conflict="The `Idempotency-Key` was used for another request.",
        headers=_LOCATION,
    ),
    openapi_extra=takes(
        BackfillRequest, "What is to be done, as `llamalog backfill start` has it.", _EXAMPLES
    ),
)
async def ask_for_backfill(
    request: Request,
    context: TheContext,
    principal: AnOperator,
    key: Annotated[
        Text | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Asking again with the same key asks for the same run. A UUID becomes the run's id.",
        ),
    ] = None,
) -> Response:
    """Needs the scope `operate`; one that adopts, `admin`: it overrides roots."""
    wanted = await read_body(request, BackfillRequest)
    return _accepted(await start_backfill(context, principal, wanted, key))


@router.get(
    "/backfills/{id}",
    summary="A backfill",
    responses=answers(BackfillRun, "How far it is, or how it ended.", not_found="There is no such run."),
)
async def backfill(context: TheContext, run: Run) -> Response:
    """As its row says it."""
    return answer(await find_run(context, run))


@router.get(
    "/backfills/{id}/events",
    summary="A backfill, followed to its end",
    response_class=Response,
    responses=streams(
        "Events: `progress` at first and whenever something has changed, `ended` at the end, both with the "
        "run as `/backfills/{id}` tells it, after which the stream ends; `waiting`, while PostgreSQL does "
        "not answer.",
        'event: progress\ndata: {"run": "…", "status": "running", "scanned": 2000}\n\n',
        not_found="There is no such run.",
    ),
)
async def backfill_stream(context: TheContext, run: Run) -> Response:
    """Server-sent events; each bears the whole state, so that none has to be caught up with."""
    await find_run(context, run)
    return context.streams.answer(backfill_events(context, run))


def _asking(what: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def ask(context: TheContext, principal: AnOperator, run: Run) -> Response:
        return _accepted(await ask_of_run(context, principal, run, what))

    return ask


for _what in REQUESTS:
    router.add_api_route(
        f"/backfills/{{id}}/{_what}",
        _asking(_what),
        methods=["POST"],
        name=_what,
        status_code=HTTPStatus.ACCEPTED,
        summary=_DOES[_what],
        description="Needs the scope `operate`.",
        responses=answers(
            Asked,
            "It was asked for.",
            status=HTTPStatus.ACCEPTED,
            not_found="There is no such run.",
            conflict="The run has ended.",
            headers=_LOCATION,
        ),
    )


def _accepted(asked: Asked) -> Response:
    return answer(asked, HTTPStatus.ACCEPTED, {"Location": f"/backfills/{asked.run}"})
