"""`/ui/conflicts`: rival parents, roots declared otherwise than found, jobs that form a cycle."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from llamalog_service.http.context import TheReader
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import render
from llamalog_service.queries.conflicts import (
    Cycle,
    RowConflict,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
)
from llamalog_service.queries.paging import Cursor, Page

router = APIRouter()

Kind = Literal["parents", "declarations", "cycles"]

_PATH: Final = "/ui/conflicts"
_ROWS: Final = {"parents": parent_conflicts, "declarations": declaration_conflicts}


@router.get(_PATH)
async def conflicts(
    request: Request,
    reader: TheReader,
    kind: Kind = "parents",
    after: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """One kind of contradictions, and how many there are of each."""
    counts = await count_conflicts(reader)
    found: Page[RowConflict] | Page[Cycle]
    if kind == "cycles":
        found = await cycles(reader, after=after)
    else:
        found = await _ROWS[kind](reader, after=Cursor.parse(after) if after else None)
    return render(
        request,
        "conflicts.html",
        page="conflicts",
        title="Conflicts",
        kind=kind,
        tabs=(
            ("parents", "Rival parents", counts.parents),
            ("declarations", "Roots declared otherwise", counts.declarations),
            ("cycles", "Cycles", counts.cycles),
        ),
        rows_on_cycles=counts.rows_on_cycles,
        items=found.items,
        next=found.next and link(_PATH, kind=kind, after=found.next),
    )
