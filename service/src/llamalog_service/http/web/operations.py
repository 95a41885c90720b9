"""`/ui/dead-letters`, `/ui/producers`, `/ui/health`: refusals, producers, health of the installation."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from llamalog_service.dead_letters.listing import DeadLetterFilter
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.http.context import ContextDep, ReaderDep, ServicesDep
from llamalog_service.http.web.form_parser import FormQuery
from llamalog_service.http.web.formatting import link
from llamalog_service.http.web.pages import TEMPLATES, render
from llamalog_service.queries.counts import UNPROCESSED, read_producers

routes = APIRouter()

_DEAD_LETTERS: Final = "/ui/dead-letters"
_PAGE: Final = 50
_PRODUCERS: Final = 200

_UNRESOLVED: Final = {
    "PENDING": "Wait for a job never seen",
    "DECLARED": "Have a declared root, the top never seen",
    UNPROCESSED: "Not looked at yet",
}
_BYTE_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@routes.get(_DEAD_LETTERS)
async def dead_letters(
    request: Request,
    services: ServicesDep,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """The dead letters that match, the newest first, beside the counts of all."""
    form = FormQuery(request.query_params, DeadLetterFilter.__struct_encode_fields__)
    wanted = form.filter(DeadLetterFilter)
    counts = await services.dead_letters.counts()
    page = None
    if not form.errors:
        page = await services.dead_letters.page(wanted, limit=_PAGE, after=after)
    return await render(
        request,
        "dead_letters.html",
        HTTPStatus.OK if page is not None else HTTPStatus.UNPROCESSABLE_ENTITY,
        page="dead-letters",
        title="Dead letters",
        counts=counts,
        most=max(counts.by_reason.values(), default=1),
        fields=form.texts,
        errors=form.errors,
        filtered=form.is_filtered,
        dead_letters=page.items if page is not None else (),
        first_page=after is None,
        next=None
        if page is None or page.next is None
        else link(_DEAD_LETTERS, **form.texts, after=page.next),
    )


@routes.get("/ui/producers")
async def producers(request: Request, reader: ReaderDep, services: ServicesDep) -> Response:
    """The producers with their rows and last events, and what of them was refused, if Kafka answers."""
    found = await read_producers(reader, limit=_PRODUCERS)
    try:
        refused = (await services.dead_letters.counts()).by_producer
    except LlamalogError:
        refused = None
    return await render(
        request,
        "producers.html",
        page="producers",
        title="Producers",
        producers=found.producers,
        are_more=found.are_more,
        legacy_rows=found.legacy_rows,
        not_kept=found.not_kept,
        refused=refused,
    )


@routes.get("/ui/health")
async def health(request: Request, context: ContextDep) -> Response:
    """The current health of the installation; what does not answer is named."""
    return await render(
        request,
        "health.html",
        page="health",
        title="Health",
        health=await context.services.health.summary(context.streams.open),
        unresolved=_UNRESOLVED,
    )


def byte_size(number: int) -> str:
    """A number of bytes in its largest fitting unit."""
    size, unit = float(number), _BYTE_UNITS[0]
    for unit in _BYTE_UNITS:
        if size < 1024 or unit == _BYTE_UNITS[-1]:
            break
        size /= 1024
    return f"{number:,} {unit}" if unit == _BYTE_UNITS[0] else f"{size:,.1f} {unit}"


def rate(per_second: float) -> str:
    """A rate per second, with two digits at least."""
    return f"{per_second:,.0f}" if per_second >= 10 or not per_second else f"{per_second:.2g}"


TEMPLATES.filters.update(byte_size=byte_size, rate=rate)
