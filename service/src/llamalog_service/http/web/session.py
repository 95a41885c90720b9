"""`/ui/login` and `/ui/logout`: a token becomes the session of a browser, and ends as one."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llamalog_service.http.context import context_of, session_of
from llamalog_service.http.sessions import forget, keep
from llamalog_service.http.web.pages import checked_form, render

router = APIRouter()

_HOME: Final = "/ui"


@router.get("/ui/login")
async def login_form(request: Request, next: str = _HOME) -> Response:
    """Where a token is asked for."""
    if context_of(request).access.is_open:
        return RedirectResponse(_ours(next), HTTPStatus.SEE_OTHER)
    return _form(request, next)


@router.post("/ui/login")
async def login(request: Request) -> Response:
    """Open a session.

    The form has no CSRF word, since there is no session yet that it could belong to: the guard refuses
    what another site sends.
    """
    form = await request.form(max_files=0, max_fields=5)
    token, goal = str(form.get("token", "")).strip(), str(form.get("next", _HOME))
    session = context_of(request).sessions.open(token)
    if session is None:
        return _form(request, goal, HTTPStatus.FORBIDDEN, is_refused=True)
    response = RedirectResponse(_ours(goal), HTTPStatus.SEE_OTHER)
    keep(response, session, is_https=request.scope["scheme"] == "https")
    return response


@router.post("/ui/logout")
async def logout(request: Request) -> Response:
    """End the session of this browser."""
    await checked_form(request)
    session = session_of(request)
    if session is not None:
        context_of(request).sessions.end(session)
    response = RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)
    forget(response)
    return response


def _form(
    request: Request, goal: str, status: HTTPStatus = HTTPStatus.OK, *, is_refused: bool = False
) -> Response:
    return render(
        request, "login.html", status, page="login", title="Log in", next=_ours(goal), is_refused=is_refused
    )


def _ours(goal: str) -> str:
    """A page of ours: whoever sends somebody to the login may not send them on to another site."""
    try:
        parts = urlsplit(goal)
    except ValueError:  # it is no address at all
        return _HOME
    is_ours = not parts.scheme and not parts.netloc and (parts.path == "/ui" or parts.path.startswith("/ui/"))
    return goal if is_ours and "\\" not in goal and goal.isprintable() else _HOME
