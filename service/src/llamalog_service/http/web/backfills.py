"""`/ui/backfills`: asked for as a dry run, followed, paused, resumed, cancelled, and then done for real."""

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
from llamalog_service.http.backfill_service import (
    BackfillRequest,
    ask_of_run,
    find_run,
    start_backfill,
    unknown_run,
)
from llamalog_service.http.context import AnOperator, Context, Somebody, TheContext, TheReader
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.backfill_form import EXPECT, SCOPES, Fields, FormInvalidError, read_dry_run
from llamalog_service.http.web.formatting import link, visible
from llamalog_service.http.web.pages import TEMPLATES, checked_form, render
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.backfill_words import CLASSES, scope_in_words, standing_in_words
from llamalog_service.queries.backfills import BackfillRun, read_backfill, read_backfills

router = APIRouter()

Verb = Literal["pause", "resume", "cancel"]

_SHOWN: Final = 50
_FURTHER: Final = ("batchSize", "rateLimit", *(EXPECT + name for name in ExpectedCounts.__struct_fields__))
_FIELDS: Final = ("scope", "root", "jobs", "since", "until", "missingParent", *_FURTHER)
_NOTHING: Final[Fields] = {}

TEMPLATES.filters["scope_words"] = lambda scope: scope_in_words(scope, visible)
TEMPLATES.filters["standing_words"] = standing_in_words


@router.get("/ui/backfills")
async def backfills(
    request: Request,
    principal: Somebody,
    reader: TheReader,
    only_open: Annotated[bool, Query(alias="open")] = False,
) -> Response:
    """The backfills, the newest first, and the form for another."""
    return await _list(request, reader, only_open=only_open, may_operate=principal.may(Scope.OPERATE))


@router.post("/ui/backfills")
async def ask(request: Request, principal: AnOperator, context: TheContext) -> Response:
    """Ask for a dry run."""
    fields = _texts(await checked_form(request))
    try:
        wanted = read_dry_run(fields)
    except FormInvalidError as error:
        return await _list(
            request, context.reader, fields=fields, complaints=error.complaints, may_operate=True
        )
    return await _start(context, principal, wanted, fields)


@router.get("/ui/backfills/{run}")
async def backfill(
    request: Request, principal: Somebody, context: TheContext, run: UUID, asked: Verb | None = None
) -> Response:
    """One backfill: how far it is, what can be done about it, its report."""
    found = await read_backfill(context.reader, run)
    if found is None and context.asked.find(run) is None:
        raise unknown_run(run)
    return render(
        request,
        "backfill.html",
        page="backfills",
        title="Backfill",
        id=run,
        run=found,
        awaited=asked if found is not None and _is_awaited(found, asked) else None,
        classes=CLASSES,
        may_operate=principal.may(Scope.OPERATE),
        key=uuid4(),
    )


@router.post("/ui/backfills/{run}/apply")
async def apply(request: Request, principal: AnOperator, context: TheContext, run: UUID) -> Response:
    """Do for real what a dry run has tried."""
    fields = _texts(await checked_form(request))
    tried = await _ended(context, run)
    if tried.report is None or not tried.request.dry_run or tried.status is not RunStatus.COMPLETED:
        raise _refused("Only a dry run that has completed can be done for real.")
    wanted = _request_of(tried, dry_run=False)
    if fields.get("same") == "true":
        plan = tried.report.plan
        counts = {name: getattr(plan, name) for name in ExpectedCounts.__struct_fields__}
        wanted = msgspec.structs.replace(wanted, expected=ExpectedCounts(**counts))
    return await _start(context, principal, wanted, fields)


@router.post("/ui/backfills/{run}/again")
async def again(request: Request, principal: AnOperator, context: TheContext, run: UUID) -> Response:
    """Ask for a dry run of what a backfill that has ended was asked for."""
    fields = _texts(await checked_form(request))
    ended = await _ended(context, run)
    return await _start(context, principal, _request_of(ended, dry_run=True), fields)


@router.post("/ui/backfills/{run}/{verb}")
async def ask_of(
    request: Request, principal: AnOperator, context: TheContext, run: UUID, verb: Verb
) -> Response:
    """Ask for a backfill to be paused, resumed or cancelled."""
    await checked_form(request)
    await ask_of_run(context, principal, run, verb)
    return _to(run, verb)


async def _list(
    request: Request,
    reader: Reader,
    *,
    may_operate: bool,
    only_open: bool = False,
    fields: Fields = _NOTHING,
    complaints: Fields = _NOTHING,
) -> Response:
    return render(
        request,
        "backfills.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if complaints else HTTPStatus.OK,
        page="backfills",
        title="Backfills",
        runs=await read_backfills(reader, _SHOWN, only_open=only_open),
        only_open=only_open,
        may_operate=may_operate,
        scopes=SCOPES,
        expectable=ExpectedCounts.__struct_fields__,
        asked={field: fields.get(field, "") for field in _FIELDS},
        complaints=defaultdict(str, complaints),
        further=any(fields.get(field) for field in _FURTHER),
        key=uuid4(),
    )


async def _start(context: Context, principal: Principal, wanted: BackfillRequest, fields: Fields) -> Response:
    """Ask for a backfill, once, however often the form is sent."""
    asked = await start_backfill(context, principal, wanted, fields.get("key") or None)
    return _to(asked.run)


def _to(run: UUID, asked: Verb | None = None) -> Response:
    return RedirectResponse(link(f"/ui/backfills/{run}", asked=asked), HTTPStatus.SEE_OTHER)


async def _ended(context: Context, run: UUID) -> BackfillRun:
    found = await find_run(context, run)
    if not found.has_ended:
        raise _refused("This backfill has not ended: wait for it, or cancel it.")
    return found


def _refused(why: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, f"{why} Nothing was asked.", kind="refused")


def _request_of(run: BackfillRun, *, dry_run: bool) -> BackfillRequest:
    asked = run.request
    return BackfillRequest(
        scope=asked.scope,
        missing_parent=asked.missing_parent,
        batch_size=asked.batch_size,
        rate_limit=asked.rate_limit,
        expected=asked.expected,
        dry_run=dry_run,
    )


def _is_awaited(run: BackfillRun, asked: Verb | None) -> bool:
    """Whether what was asked for cannot be seen of the run yet."""
    if run.has_ended or run.wish == asked:
        return False
    is_paused = run.status is RunStatus.PAUSED
    return asked in {"cancel", "resume" if is_paused else "pause"}


def _texts(form: FormData) -> Fields:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
