"""`/ui/login` and `/ui/logout`: a browser's session, opened with a token."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llamalog_service.http.context import ContextDep, SessionDep
from llamalog_service.http.sessions import delete_session_cookie, set_session_cookie
from llamalog_service.http.web.pages import checked_form, render

routes = APIRouter()

_HOME: Final = "/ui"


@routes.get("/ui/login")
async def login_form(request: Request, context: ContextDep, next: str = _HOME) -> Response:
    """The form for the token."""
    if context.access.is_open:
        return RedirectResponse(_local_path(next), HTTPStatus.SEE_OTHER)
    return await _form(request, next)


@routes.post("/ui/login")
async def login(request: Request, context: ContextDep) -> Response:
    """Open a session.

    The form has no CSRF token, since there is no session yet: the middleware refuses what another site sends.
    """
    form = await request.form(max_files=0, max_fields=5)
    token, goal = str(form.get("token", "")).strip(), str(form.get("next", _HOME))
    session = context.sessions.open(token)
    if session is None:
        return await _form(request, goal, HTTPStatus.FORBIDDEN, is_refused=True)
    response = RedirectResponse(_local_path(goal), HTTPStatus.SEE_OTHER)
    set_session_cookie(response, session, is_https=request.scope["scheme"] == "https")
    return response


@routes.post("/ui/logout")
async def logout(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """End the session of this browser."""
    await checked_form(request)
    if session is not None:
        context.sessions.end(session)
    response = RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)
    delete_session_cookie(response)
    return response


async def _form(
    request: Request, goal: str, status: HTTPStatus = HTTPStatus.OK, *, is_refused: bool = False
) -> Response:
    return await render(
        request,
        "login.html",
        status,
        page="login",
        title="Log in",
        next=_local_path(goal),
        is_refused=is_refused,
    )


def _local_path(goal: str) -> str:
    """The path if it is a page of this app, else the home page: no redirect leads to another site."""
    try:
        parts = urlsplit(goal)
    except ValueError:  # not a URL
        return _HOME
    is_ours = not parts.scheme and not parts.netloc and (parts.path == "/ui" or parts.path.startswith("/ui/"))
    return goal if is_ours and "\\" not in goal and goal.isprintable() else _HOME
