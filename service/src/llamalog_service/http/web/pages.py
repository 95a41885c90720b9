"""Pages from templates: everything is escaped, nothing is inline, as the content security policy demands."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.http.access import Scope
from llamalog_service.http.context import path_and_query, path_of
from llamalog_service.http.problems import ProblemError, problem_of
from llamalog_service.http.sessions import set_session_cookie
from llamalog_service.http.web.formatting import FILTERS, visible
from llamalog_service.queries.rows import LeftOut


class NavigationItem(NamedTuple):
    """A link in the navigation bar.

    Attributes:
        page: what a page passes as ``page`` to be marked as the current one.
    """

    page: str
    href: str
    label: str


NAVIGATION: Final = (
    NavigationItem("roots", "/ui", "Root jobs"),
    NavigationItem("logs", "/ui/logs", "Logs"),
    NavigationItem("unknown-origins", "/ui/unknown-origins", "Unknown origins"),
    NavigationItem("waiting-jobs", "/ui/waiting-jobs", "Waiting jobs"),
    NavigationItem("overrides", "/ui/overrides", "Overrides"),
    NavigationItem("conflicts", "/ui/conflicts", "Conflicts"),
    NavigationItem("producers", "/ui/producers", "Producers"),
    NavigationItem("dead-letters", "/ui/dead-letters", "Dead letters"),
    NavigationItem("backfills", "/ui/backfills", "Backfills"),
    NavigationItem("health", "/ui/health", "Health"),
)

_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="pages")
"""A page may take tenths of a second, in which the event loop serves others; more threads would slow it."""

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Pages add filters of their own."""

TEMPLATES.filters.update(FILTERS)
TEMPLATES.tests["left_out"] = lambda value: isinstance(value, LeftOut)
TEMPLATES.globals.update(
    version=version("llamalog-service"),
    Scope=Scope,
    navigation=NAVIGATION,
    categories=Category,
    statuses=Status,
    origins=Origin,
    entity_types=EntityType,
)


async def render(
    request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> HTMLResponse:
    """A page, rendered in a thread.

    Templates get, besides their values: ``request``, ``principal`` (None before the login), ``csrf`` (for the
    hidden field ``csrf`` of every form with a change), ``is_open`` (no tokens are configured), ``version``
    and ``Scope``.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, partial(_render, request, template, status, values))


def _render(request: Request, template: str, status: HTTPStatus, values: Mapping[str, Any]) -> HTMLResponse:
    context = request.app.state.context
    session = getattr(request.state, "session", None)
    is_new = session is None and context.access.is_open
    if is_new:
        session = context.sessions.open()
    body = TEMPLATES.get_template(template).render(
        values,
        request=request,
        principal=getattr(request.state, "principal", None),
        csrf=session.csrf if session is not None else "",
        is_open=context.access.is_open,
    )
    response = HTMLResponse(body, status_code=status)
    if is_new and session is not None:
        set_session_cookie(response, session, is_https=request.scope["scheme"] == "https")
    return response


async def checked_form(request: Request) -> FormData:
    """The fields of a form with a change.

    Raises:
        ProblemError: 403, its CSRF token is not that of the session.
    """
    form = await request.form(max_files=0, max_fields=100)
    session = request.state.session
    sessions = request.app.state.context.sessions
    if session is None or not sessions.is_csrf(session, str(form.get("csrf", ""))):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "The form is not one of this session's: it may have ended. Nothing was done. Go back, reload "
            "the page, and send the form again.",
            kind="cross-site",
        )
    return form


def no_such_row(row_id: UUID) -> ProblemError:
    """The problem of a page about a row that the log has not."""
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        f"The log has no row {row_id}. The id may be mistyped, or its event has not been recorded yet.",
    )


def no_such_job(job: str) -> ProblemError:
    """The problem of a page about a job that no row bears or names."""
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        f"The log knows no job {visible(job)}: no row is of it, and none names it as its parent. It may be "
        "mistyped, or its first event has not been recorded yet.",
    )


def error_page(request: Request, error: ProblemError) -> HTMLResponse:
    """A problem as a page, which is small."""
    values = {"problem": problem_of(error, path_of(request)), "again": path_and_query(request)}
    response = _render(request, "error.html", error.status, values)
    response.headers.update(error.headers)
    return response
