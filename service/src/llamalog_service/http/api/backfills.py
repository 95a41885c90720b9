"""`/backfills`: requested, listed, followed, paused, resumed and cancelled."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Header, Path, Query, Request
from msgspec import Struct
from starlette.responses import Response

from llamalog_service.http.api.openapi import request_body, responses, stream_responses
from llamalog_service.http.api.routing import Boolean, Limit, Text, Uuid, json_response, read_body, router
from llamalog_service.http.backfill_service import REQUESTS, BackfillRequest, RunAccepted
from llamalog_service.http.context import ClientDep, ContextDep, OperatorDep, ReaderDep, ServicesDep
from llamalog_service.http.streams import backfill_events
from llamalog_service.queries.backfills import BackfillRun, read_backfills
from llamalog_service.queries.paging import DEFAULT_LIMIT

routes = router("backfills")

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
_LOCATION: Final = {"Location": "The path of the run."}
_SUMMARIES: Final = {
    "pause": "Pause a backfill at its next batch; what it has written stays",
    "resume": "Resume a paused backfill where it was",
    "cancel": "End a backfill at its next batch; what it has written stays",
}


class BackfillList(Struct, frozen=True, kw_only=True, rename="camel"):
    """Backfills, the newest first."""

    items: tuple[BackfillRun, ...]


@routes.get(
    "/backfills", summary="The newest backfills", responses=responses(BackfillList, "The newest first.")
)
async def backfills(
    reader: ReaderDep,
    only_open: Annotated[
        Boolean, Query(alias="onlyOpen", description="Only those that have not ended.")
    ] = False,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Each with its request, its progress and its result; fewer than `limit` where they exceed 8 MiB."""
    found = await read_backfills(reader, limit, only_open=only_open)
    return json_response(BackfillList(items=tuple(found)))


@routes.post(
    "/backfills",
    status_code=HTTPStatus.ACCEPTED,
    summary="Request a backfill of roots",
    responses=responses(
        RunAccepted,
        "It was accepted, and starts in its turn.",
        status=HTTPStatus.ACCEPTED,
        conflict="The `Idempotency-Key` was used for another request.",
        headers=_LOCATION,
    ),
    openapi_extra=request_body(
        BackfillRequest, "The backfill, with the options of `llamalog backfill start`.", _EXAMPLES
    ),
)
async def start_backfill(
    request: Request,
    services: ServicesDep,
    principal: OperatorDep,
    key: Annotated[
        Text | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Repeating a key requests the same run. A UUID becomes the run's id.",
        ),
    ] = None,
) -> Response:
    """Needs the scope `operate`; one that adopts roots, `admin`."""
    requested = await read_body(request, BackfillRequest)
    return _accepted(await services.backfills.start(principal, requested, key))


@routes.get(
    "/backfills/{id}",
    summary="A backfill",
    responses=responses(BackfillRun, "Its progress, or its result.", not_found="There is no such run."),
)
async def backfill(services: ServicesDep, run: Run) -> Response:
    """The run, from its row."""
    return json_response(await services.backfills.find(run))


@routes.get(
    "/backfills/{id}/events",
    summary="A backfill, followed to its end",
    response_class=Response,
    responses=stream_responses(
        "Events: `progress` at first and whenever something has changed, `ended` at the end, both with the "
        "run as in `/backfills/{id}`, after which the stream ends; `waiting`, while PostgreSQL does "
        "not answer.",
        'event: progress\ndata: {"run": "…", "status": "running", "scanned": 2000}\n\n',
        not_found="There is no such run.",
    ),
)
async def backfill_stream(context: ContextDep, client: ClientDep, run: Run) -> Response:
    """Server-sent events; each has the whole state, so that a missed one loses nothing."""
    backfills = context.services.backfills
    await backfills.find(run)
    return context.streams.response(backfill_events(backfills, run), client)


def _request_action(action: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def request_action(services: ServicesDep, principal: OperatorDep, run: Run) -> Response:
        return _accepted(await services.backfills.request(principal, run, action))

    return request_action


for _action in REQUESTS:
    routes.add_api_route(
        f"/backfills/{{id}}/{_action}",
        _request_action(_action),
        methods=["POST"],
        name=_action,
        status_code=HTTPStatus.ACCEPTED,
        summary=_SUMMARIES[_action],
        description="Needs the scope `operate`.",
        responses=responses(
            RunAccepted,
            "It was accepted.",
            status=HTTPStatus.ACCEPTED,
            not_found="There is no such run.",
            conflict="The run has ended.",
            headers=_LOCATION,
        ),
    )


def _accepted(accepted: RunAccepted) -> Response:
    return json_response(accepted, HTTPStatus.ACCEPTED, {"Location": f"/backfills/{accepted.run}"})
