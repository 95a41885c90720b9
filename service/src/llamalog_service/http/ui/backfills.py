"""`/ui/backfills`: asked for as a dry run, followed, paused, resumed, cancelled, and then done for real."""

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final, Literal, assert_never
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from llamalog_schemas.commands import (
    BackfillRootsData,
    CancelBackfill,
    ExpectedCounts,
    PauseBackfill,
    ResumeBackfill,
    RunRequest,
    RunRequestData,
)
from llamalog_service.http.access import Scope
from llamalog_service.http.context import AnOperator, Somebody, TheOperations, TheReader
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.ui.backfill_form import EXPECT, SCOPES, Fields, FormInvalidError, read_dry_run
from llamalog_service.http.ui.pages import TEMPLATES, checked_form, render
from llamalog_service.http.ui.words import visible
from llamalog_service.queries.backfill_words import CLASSES, scope_in_words, standing_in_words
from llamalog_service.queries.backfills import BackfillRun, read_backfill, read_backfills
from llamalog_service.store.reader import Reader

router = APIRouter()

Ask = Literal["pause", "resume", "cancel"]

_SHOWN: Final = 50
_REQUESTS: Final[Mapping[Ask, type[RunRequest]]] = {
    "pause": PauseBackfill,
    "resume": ResumeBackfill,
    "cancel": CancelBackfill,
}
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
async def ask(
    request: Request, principal: AnOperator, reader: TheReader, operations: TheOperations
) -> Response:
    """Ask for a dry run."""
    fields = _texts(await checked_form(request))
    try:
        data = read_dry_run(fields, principal.name)
    except FormInvalidError as error:
        return await _list(request, reader, fields=fields, complaints=error.complaints, may_operate=True)
    return await _start(operations, data)


@router.get("/ui/backfills/{run}")
async def backfill(
    request: Request,
    principal: Somebody,
    reader: TheReader,
    run: UUID,
    asked: Literal["start", "pause", "resume", "cancel"] | None = None,
) -> Response:
    """One backfill: how far it is, what can be done about it, its report."""
    found = await read_backfill(reader, run)
    if found is None and asked != "start":
        raise _no_such_run(run)
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
    )


@router.post("/ui/backfills/{run}/apply")
async def apply(
    request: Request, principal: AnOperator, reader: TheReader, operations: TheOperations, run: UUID
) -> Response:
    """Do for real what a dry run has tried."""
    form = await checked_form(request)
    tried = await _ended(reader, run)
    if tried.report is None or not tried.request.dry_run or tried.error is not None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "Only a dry run that has completed can be done for real. Nothing was asked for.",
        )
    expected = tried.request.expected
    if form.get("same") == "true":
        expected = msgspec.convert(
            {"rows": tried.report.plan.rows, **msgspec.to_builtins(tried.report.plan)}, ExpectedCounts
        )
    return await _start(
        operations,
        msgspec.structs.replace(tried.request, requested_by=principal.name, dry_run=False, expected=expected),
    )


@router.post("/ui/backfills/{run}/again")
async def again(
    request: Request, principal: AnOperator, reader: TheReader, operations: TheOperations, run: UUID
) -> Response:
    """Ask for a dry run of what a backfill that has ended was asked for."""
    await checked_form(request)
    ended = await _ended(reader, run)
    return await _start(
        operations, msgspec.structs.replace(ended.request, requested_by=principal.name, dry_run=True)
    )


@router.post("/ui/backfills/{run}/{verb}")
async def ask_of(  # noqa: PLR0917 -- FastAPI calls it by name
    request: Request,
    principal: AnOperator,
    reader: TheReader,
    operations: TheOperations,
    run: UUID,
    verb: Ask,
) -> Response:
    """Ask for a backfill to be paused, resumed or cancelled."""
    await checked_form(request)
    found = await read_backfill(reader, run)
    if found is None:
        raise _no_such_run(run)
    if found.has_ended:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"There is nothing to {verb}: the backfill has ended, it is {found.status}. "
            "Nothing was asked for.",
        )
    await operations.ask_of_run(_REQUESTS[verb], RunRequestData(run=run, requested_by=principal.name))
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
    )


async def _start(operations: TheOperations, data: BackfillRootsData) -> Response:
    run = uuid4()
    await operations.ask_for_backfill(run, data)
    return _to(run, "start")


def _to(run: UUID, asked: str) -> Response:
    return RedirectResponse(f"/ui/backfills/{run}?asked={asked}", HTTPStatus.SEE_OTHER)


async def _ended(reader: Reader, run: UUID) -> BackfillRun:
    found = await read_backfill(reader, run)
    if found is None:
        raise _no_such_run(run)
    if not found.has_ended:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "This backfill has not ended: wait for it, or cancel it. Nothing was asked for.",
        )
    return found


def _is_awaited(run: BackfillRun, asked: str | None) -> bool:
    """Whether what was asked for cannot be seen of the run yet."""
    is_paused = run.status == "paused"
    match asked:
        case None | "start":
            return False
        case "resume":
            return is_paused
        case "pause":
            return not (is_paused or run.has_ended or run.wish == "pause")
        case "cancel":
            return not (run.has_ended or run.wish == "cancel")
        case _:
            assert_never(asked)  # type: ignore[arg-type]


def _no_such_run(run: UUID) -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        f"The database knows no backfill {run}. One that was just asked for is known as soon as a migration "
        "consumer (`llamalog migrator`) has read the command.",
    )


def _texts(form: FormData) -> Fields:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
