"""Pages from templates: everything is escaped, nothing inline; the answer's policy allows neither."""

from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse

from llamalog_service.http.access import Scope
from llamalog_service.http.paths import path_and_query, path_of
from llamalog_service.http.problems import ProblemError, problem_of
from llamalog_service.http.sessions import keep
from llamalog_service.http.web.formatting import FILTERS
from llamalog_service.http.web.navigation import NAVIGATION

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Filters of all pages are added to it: ``TEMPLATES.filters``."""

TEMPLATES.filters.update(FILTERS)
TEMPLATES.globals.update(version=version("llamalog-service"), Scope=Scope, navigation=NAVIGATION)


def is_page(request: Request) -> bool:
    """Whether a person asks."""
    path = path_of(request)
    return path in ("/ui", "/docs") or path.startswith("/ui/")


def render(
    request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> HTMLResponse:
    """A page.

    Templates find, besides their values: ``request``, ``principal`` (None before the login), ``csrf`` (to be
    put into every form that changes something, as the hidden field ``csrf``), ``is_open`` (no tokens are
    set), ``version`` and ``Scope``.
    """
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
        keep(response, session, is_https=request.scope["scheme"] == "https")
    return response


async def checked_form(request: Request) -> FormData:
    """The fields of a form that changes something.

    Raises:
        ProblemError: 403, it does not bring back what the page was given.
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


def error_page(request: Request, error: ProblemError) -> HTMLResponse:
    """A problem, for people."""
    response = render(
        request,
        "error.html",
        error.status,
        problem=problem_of(error, path_of(request)),
        again=path_and_query(request),
    )
    response.headers.update(error.headers)
    return response
