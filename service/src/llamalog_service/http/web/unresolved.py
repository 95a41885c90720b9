"""`/ui/unknown-origins`, `/ui/waiting-jobs`, `/ui/overrides`, `/ui/conflicts`: unknown and disputed roots."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from llamalog_schemas.provenance import Origin
from llamalog_service.http.context import ReaderDep
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import render
from llamalog_service.queries.conflicts import (
    Cycle,
    RefusedRow,
    RowConflict,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
    refused_rows,
)
from llamalog_service.queries.counts import COUNTED, UNPROCESSED, read_unknown_origins, read_waiting_jobs
from llamalog_service.queries.overrides import COUNTED as OVERRIDDEN_COUNTED
from llamalog_service.queries.overrides import read_overrides
from llamalog_service.queries.paging import Page, parse_cursor

routes = APIRouter()

ConflictKind = Literal["parents", "declarations", "cycles", "refused"]

_MEMBERS: Final = 12
"""Of a cycle."""
_WAITING: Final = "/ui/waiting-jobs"
_OVERRIDES: Final = "/ui/overrides"
_CONFLICTS: Final = "/ui/conflicts"
_READ_ROWS: Final[Mapping[str, Callable[..., Awaitable[Page[RowConflict] | Page[RefusedRow]]]]] = {
    "parents": parent_conflicts,
    "declarations": declaration_conflicts,
    "refused": refused_rows,
}

_REASONS: Final = {
    Origin.UNTRACKED.value: (
        "Names neither job nor parent",
        "Written outside of any job, or by a producer that does not name it. Nothing will change that.",
    ),
    Origin.PENDING.value: (
        "Retries for a job never seen",
        "The topmost job named was never logged. Its root is known as soon as that job's event comes, "
        "or an operator adopts it.",
    ),
    Origin.CYCLE.value: (
        "Its jobs form a cycle",
        "Each names the next as its parent, and the last one the first. A further event has to decide it.",
    ),
    UNPROCESSED: (
        "Not looked at yet",
        "Another program put it into the table. The next sweep finds its root, within seconds or minutes.",
    ),
}


@routes.get("/ui/unknown-origins")
async def unknown_origins(request: Request, reader: ReaderDep) -> Response:
    """The rows of unknown origin, by the reason."""
    found = await read_unknown_origins(reader)
    return await render(
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


@routes.get(_WAITING)
async def waiting_jobs(
    request: Request, reader: ReaderDep, after: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """The jobs never seen that others name as their parent, the longest awaited first."""
    found = await read_waiting_jobs(reader, after=parse_cursor(after))
    return await render(
        request,
        "waiting_jobs.html",
        page="waiting-jobs",
        title="Waiting jobs",
        jobs=found.items,
        counted=COUNTED,
        next=found.next and link(_WAITING, after=found.next),
    )


@routes.get(_OVERRIDES)
async def overrides(
    request: Request, reader: ReaderDep, after: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """The overrides of operators, the latest first."""
    found = await read_overrides(reader, after=parse_cursor(after))
    return await render(
        request,
        "overrides.html",
        page="overrides",
        title="Overrides",
        overrides=found.items,
        counted=OVERRIDDEN_COUNTED,
        next=found.next and link(_OVERRIDES, after=found.next),
    )


@routes.get(_CONFLICTS)
async def conflicts(
    request: Request,
    reader: ReaderDep,
    kind: ConflictKind = "parents",
    after: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """The conflicts of one kind, and the counts of all."""
    counts = await count_conflicts(reader)
    found: Page[RowConflict] | Page[Cycle] | Page[RefusedRow]
    if kind == "cycles":
        found = await cycles(reader, after=after)
    else:
        found = await _READ_ROWS[kind](reader, after=parse_cursor(after))
    return await render(
        request,
        "conflicts.html",
        page="conflicts",
        title="Conflicts",
        kind=kind,
        tabs=(
            ("parents", "Rival parents", counts.parents),
            ("declarations", "Roots declared otherwise", counts.declarations),
            ("cycles", "Cycles", counts.cycles),
            ("refused", "Refused corrections", counts.refused),
        ),
        rows_on_cycles=counts.rows_on_cycles,
        shown_members=_MEMBERS,
        items=found.items,
        next=found.next and link(_CONFLICTS, kind=kind, after=found.next),
    )


def _rows_of(reason: str) -> str:
    if reason == UNPROCESSED:
        return link("/ui/logs", unknownOriginOnly=True)
    return link("/ui/logs", origin=reason)
