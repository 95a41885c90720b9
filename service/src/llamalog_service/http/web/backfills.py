"""`/ui/backfills`: requested as a dry run, followed, paused, resumed, cancelled, and then run for real."""

from collections import defaultdict
from http import HTTPStatus
from typing import Annotated, Final, Literal
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.commands import ExpectedCounts
from llamalog_service.http.access import Principal, Scope
from llamalog_service.http.backfill_service import BackfillRequest, BackfillService
from llamalog_service.http.context import ContextDep, OperatorDep, PrincipalDep, ReaderDep, ServicesDep
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.backfill_form import EXPECT, SCOPES, Fields, FormInvalidError, parse_dry_run
from llamalog_service.http.web.formatting import brief, link
from llamalog_service.http.web.pages import TEMPLATES, checked_form, render
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import (
    CLASSES,
    BackfillRun,
    describe_scope,
    describe_state,
    read_backfill,
    read_backfills,
)

routes = APIRouter()

Action = Literal["pause", "resume", "cancel"]

_SHOWN: Final = 50
_FURTHER: Final = ("batchSize", "rateLimit", *(EXPECT + name for name in ExpectedCounts.__struct_fields__))
_FIELDS: Final = ("scope", "root", "jobs", "since", "until", "missingParent", *_FURTHER)
_NOTHING: Final[Fields] = {}

TEMPLATES.filters["scope_words"] = lambda scope: describe_scope(scope, brief)
TEMPLATES.filters["standing_words"] = describe_state


@routes.get("/ui/backfills")
async def backfills(
    request: Request,
    principal: PrincipalDep,
    reader: ReaderDep,
    only_open: Annotated[bool, Query(alias="open")] = False,
) -> Response:
    """The backfills, the newest first, and the form for another."""
    return await _list(request, reader, only_open=only_open, may_operate=principal.may(Scope.OPERATE))


@routes.post("/ui/backfills")
async def start(request: Request, principal: OperatorDep, context: ContextDep) -> Response:
    """Request a dry run."""
    fields = _texts(await checked_form(request))
    try:
        dry_run = parse_dry_run(fields)
    except FormInvalidError as error:
        return await _list(request, context.reader, fields=fields, errors=error.errors, may_operate=True)
    return await _start(context.services.backfills, principal, dry_run, fields)


@routes.get("/ui/backfills/{run}")
async def backfill(
    request: Request, principal: PrincipalDep, context: ContextDep, run: UUID, requested: Action | None = None
) -> Response:
    """One backfill: its progress, its actions, its report."""
    found = await read_backfill(context.reader, run)
    if found is None:
        await context.services.backfills.find(run)  # accepted, and its row not written yet
    return await render(
        request,
        "backfill.html",
        page="backfills",
        title="Backfill",
        id=run,
        run=found,
        awaited=requested if found is not None and _is_awaited(found, requested) else None,
        classes=CLASSES,
        may_operate=principal.may(Scope.OPERATE),
        key=uuid4(),
    )


@routes.post("/ui/backfills/{run}/apply")
async def apply(request: Request, principal: OperatorDep, services: ServicesDep, run: UUID) -> Response:
    """Request the backfill of a dry run."""
    fields = _texts(await checked_form(request))
    tried = await _find_ended(services.backfills, run)
    if tried.report is None or not tried.request.dry_run or tried.status is not RunStatus.COMPLETED:
        raise _refused("Only a dry run that has completed can be run for real.")
    backfill_request = _request_of(tried, dry_run=False)
    if fields.get("same") == "true":
        plan = tried.report.plan
        counts = {name: getattr(plan, name) for name in ExpectedCounts.__struct_fields__}
        backfill_request = msgspec.structs.replace(backfill_request, expected=ExpectedCounts(**counts))
    return await _start(services.backfills, principal, backfill_request, fields)


@routes.post("/ui/backfills/{run}/again")
async def again(request: Request, principal: OperatorDep, services: ServicesDep, run: UUID) -> Response:
    """Request a dry run with the scope and options of an ended backfill."""
    fields = _texts(await checked_form(request))
    ended = await _find_ended(services.backfills, run)
    return await _start(services.backfills, principal, _request_of(ended, dry_run=True), fields)


@routes.post("/ui/backfills/{run}/{action}")
async def request_action(
    request: Request, principal: OperatorDep, services: ServicesDep, run: UUID, action: Action
) -> Response:
    """Request a backfill to pause, resume or cancel."""
    await checked_form(request)
    await services.backfills.request(principal, run, action)
    return _redirect(run, action)


async def _list(
    request: Request,
    reader: Reader,
    *,
    may_operate: bool,
    only_open: bool = False,
    fields: Fields = _NOTHING,
    errors: Fields = _NOTHING,
) -> Response:
    return await render(
        request,
        "backfills.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        page="backfills",
        title="Backfills",
        runs=await read_backfills(reader, _SHOWN, only_open=only_open),
        only_open=only_open,
        may_operate=may_operate,
        scopes=SCOPES,
        expectable=ExpectedCounts.__struct_fields__,
        fields={field: fields.get(field, "") for field in _FIELDS},
        errors=defaultdict(str, errors),
        further=any(fields.get(field) for field in _FURTHER),
        key=uuid4(),
    )


async def _start(
    backfills: BackfillService, principal: Principal, backfill_request: BackfillRequest, fields: Fields
) -> Response:
    """Request a backfill; a form that is sent twice requests it once."""
    accepted = await backfills.start(principal, backfill_request, fields.get("key") or None)
    return _redirect(accepted.run)


def _redirect(run: UUID, requested: Action | None = None) -> Response:
    return RedirectResponse(link(f"/ui/backfills/{run}", requested=requested), HTTPStatus.SEE_OTHER)


async def _find_ended(backfills: BackfillService, run: UUID) -> BackfillRun:
    found = await backfills.find(run)
    if not found.has_ended:
        raise _refused("This backfill has not ended: wait for it, or cancel it.")
    return found


def _refused(why: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, f"{why} Nothing was requested.", kind="refused")


def _request_of(run: BackfillRun, *, dry_run: bool) -> BackfillRequest:
    original = {name: getattr(run.request, name) for name in BackfillRequest.__struct_fields__}
    return BackfillRequest(**original | {"dry_run": dry_run})


def _is_awaited(run: BackfillRun, requested: Action | None) -> bool:
    """Whether the row does not show the requested action yet."""
    if run.has_ended or run.requested_action == requested:
        return False
    is_paused = run.status is RunStatus.PAUSED
    return requested in {"cancel", "resume" if is_paused else "pause"}


def _texts(form: FormData) -> Fields:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
