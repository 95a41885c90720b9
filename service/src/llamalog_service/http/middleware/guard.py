"""What every request passes first: limits, where it comes from, who asks."""

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from llamalog_service.http.access import LOCAL, Access, Principal
from llamalog_service.http.failures import defect_response, failure_response
from llamalog_service.http.middleware.response_headers import Sending
from llamalog_service.http.paths import path_and_query, path_of
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.sessions import Session, Sessions
from llamalog_service.http.web.pages import is_page
from llamalog_service.telemetry.metrics import Metrics

MAX_QUERY_BYTES: Final = 8 * 1024
MAX_PATH_BYTES: Final = 2 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 64 * 1024

LOGIN: Final = "/ui/login"
_OPEN: Final = ("/livez", "/readyz", LOGIN)
_OPEN_BELOW: Final = ("/ui/static/",)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)


class Guard:
    """Lets requests in that are neither too large, nor sent by another site, nor by a stranger."""

    def __init__(self, app: ASGIApp, *, access: Access, sessions: Sessions, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._access = access
        self._sessions = sessions

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        sending = Sending(request, send, self._metrics)
        try:
            _check_size(request)
            _check_text(request)
            _check_site(request, access=self._access)
            refusal = self._admit(request)
        except ProblemError as problem:
            refusal = failure_response(request, problem)
        if refusal is not None:
            await refusal(scope, receive, sending)
        else:
            await self._hand_on(request, sending)
        if request.method not in _SAFE:
            sending.tell()

    async def _hand_on(self, request: Request, sending: Sending) -> None:
        scope, receive = request.scope, request.receive
        try:
            await self._app(scope, _bounded(request, receive), sending)
        except ClientDisconnect:
            return
        except Exception as defect:
            if sending.status:
                raise
            await defect_response(request, defect)(scope, receive, sending)

    def _admit(self, request: Request) -> Response | None:
        """Note who asks; a redirect to where a person can say so.

        Raises:
            ProblemError: 401, a program has not said it.
        """
        session = self._sessions.find(request)
        request.state.session = session
        principal = self._principal(request, session)
        if principal is not None:
            request.state.principal = principal
            return None
        path = path_of(request)
        if path in _OPEN or path.startswith(_OPEN_BELOW):
            request.state.principal = None
            return None
        if is_page(request) and request.method in _SAFE:
            return RedirectResponse(f"{LOGIN}?next={quote(path_and_query(request))}", HTTPStatus.SEE_OTHER)
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "Say who asks: `Authorization: Bearer <token>`, with a token that this installation knows.",
            kind="unauthenticated",
            headers={"WWW-Authenticate": 'Bearer realm="llamalog"'},
        )

    def _principal(self, request: Request, session: Session | None) -> Principal | None:
        if self._access.is_open:
            return LOCAL
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            known = self._access.find(token.strip())
            return known.principal if known is not None else None
        # A cookie goes with requests that nobody meant: to change something it takes a form of ours, too.
        if session is not None and (request.method in _SAFE or is_page(request)):
            return session.principal
        return None


def _check_size(request: Request) -> None:
    if len(request.scope["query_string"]) > MAX_QUERY_BYTES or len(_raw_path(request)) > MAX_PATH_BYTES:
        raise ProblemError(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"A path has at most {MAX_PATH_BYTES:,} bytes, a query string {MAX_QUERY_BYTES:,}.",
        )
    if sum(len(name) + len(value) for name, value in request.scope["headers"]) > MAX_HEADER_BYTES:
        raise ProblemError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The headers of a request have at most {MAX_HEADER_BYTES:,} bytes.",
        )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()


def _too_large() -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body of a request has at most {MAX_BODY_BYTES:,} bytes. Nothing was done.",
    )


def _check_text(request: Request) -> None:
    """Refuse what is no text, or no text that PostgreSQL could hold."""
    said = unquote_to_bytes(_raw_path(request)) + b" " + unquote_to_bytes(request.scope["query_string"])
    try:
        is_text = "\0" not in said.decode()
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "The path or the query string is not UTF-8, or has a NUL character in it."
        )


def _check_site(request: Request, *, access: Access) -> None:
    """Refuse what another site makes a browser send.

    Without tokens the machine's own name is all that protects it: a page whose name was made to lead here
    would be of the same origin.
    """
    headers = request.headers
    host = headers.get("host", "")
    if access.is_open and not _LOOPBACK.fullmatch(host):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "Without tokens only requests to a loopback name are answered: localhost, 127.0.0.1 or [::1].",
            kind="host",
        )
    if request.method in _SAFE:
        return
    origin = headers.get("origin")
    if not _is_of(origin, host) or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "Another site has sent this request. Nothing was done.", kind="cross-site"
        )


def _is_of(origin: str | None, host: str) -> bool:
    try:
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # it is no address at all
        return False


def _raw_path(request: Request) -> bytes:
    path: bytes = request.scope.get("raw_path") or path_of(request).encode()
    return path


def _bounded(request: Request, receive: Receive) -> Receive:
    """Count a body that has not said its length."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise _too_large()
        return message

    return bounded
