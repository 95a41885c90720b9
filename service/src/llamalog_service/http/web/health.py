"""`/ui/health`: how far the consumers are behind, how fast they are, how large the log is."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.context import TheContext
from llamalog_service.http.web.pages import TEMPLATES, render
from llamalog_service.queries.counts import NOT_LOOKED_AT

router = APIRouter()

_UNRESOLVED: Final = {
    "PENDING": "Wait for a job never seen",
    "DECLARED": "Have a declared root, the top never seen",
    NOT_LOOKED_AT: "Not looked at yet",
}
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@router.get("/ui/health")
async def health(request: Request, context: TheContext) -> Response:
    """The installation as it is now; what does not answer is named."""
    return render(
        request,
        "health.html",
        page="health",
        title="Health",
        health=await context.operations.health(context.streams.open),
        unresolved=_UNRESOLVED,
    )


def memory(number: int) -> str:
    """So many bytes, in the unit that fits."""
    size, unit = float(number), _UNITS[0]
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{number:,} {unit}" if unit == _UNITS[0] else f"{size:,.1f} {unit}"


def pace(each_second: float) -> str:
    """How often something is done a second."""
    return f"{each_second:,.0f}" if each_second >= 10 or not each_second else f"{each_second:.2g}"


TEMPLATES.filters.update(memory=memory, pace=pace)
