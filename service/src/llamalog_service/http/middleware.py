"""ASGI middleware around every request: limits, same-site checks, authentication, headers, HEAD."""

import re
import time
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from llamalog_service.http.access import LOCAL, Access, Principal
from llamalog_service.http.context import is_page, path_and_query, path_of
from llamalog_service.http.exception_handlers import error_response, unexpected_error_response
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.sessions import COOKIE, Session, Sessions
from llamalog_service.telemetry.metrics import Metrics

_log = structlog.get_logger("llamalog.http")

MAX_QUERY_BYTES: Final = 8 * 1024
MAX_PATH_BYTES: Final = 2 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 64 * 1024

LOGIN: Final = "/ui/login"
_OPEN: Final = ("/livez", "/readyz", LOGIN)
_OPEN_BELOW: Final = ("/ui/static/",)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)

_NO_ROUTE: Final = "(none)"
_API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class HeadMiddleware:
    """Answers `HEAD` as `GET` without its body, since routes declare `GET` alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                # At once: a stream would not end, but takes this for the client's disconnect.
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"}, receive, send_head)


class GuardMiddleware:
    """Refuses requests that are too large, sent by another site, or not authenticated."""

    def __init__(self, app: ASGIApp, *, access: Access, sessions: Sessions, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._access = access
        self._sessions = sessions

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        sender = _ResponseSender(request, send, self._metrics)
        try:
            _check_size(request)
            _check_text(request)
            _check_site(request, access=self._access)
            refusal = self._authenticate(request)
        except ProblemError as problem:
            refusal = error_response(request, problem)
        if refusal is not None:
            await refusal(scope, receive, sender)
        else:
            await self._forward(request, sender)
        if request.method not in _SAFE:
            sender.log_request()

    async def _forward(self, request: Request, sender: "_ResponseSender") -> None:
        scope, receive = request.scope, request.receive
        try:
            await self._app(scope, _bounded(receive), sender)
        except ClientDisconnect:
            return
        except Exception as error:
            if sender.status:
                raise
            await unexpected_error_response(request, error)(scope, receive, sender)

    def _authenticate(self, request: Request) -> Response | None:
        """Set `session` and `principal` in the request's state.

        Returns:
            A redirect to the login for a page; None where the request may go on.

        Raises:
            ProblemError: 401.
        """
        session = self._sessions.find(request) if COOKIE in request.cookies else None
        request.state.session = session
        principal = self._principal(request, session)
        request.state.principal = principal
        path = path_of(request)
        if principal is not None or path in _OPEN or path.startswith(_OPEN_BELOW):
            return None
        if is_page(request) and request.method in _SAFE:
            return RedirectResponse(f"{LOGIN}?next={quote(path_and_query(request))}", HTTPStatus.SEE_OTHER)
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "Authenticate with `Authorization: Bearer <token>`, a token that this installation knows.",
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
        # A browser sends its cookie with requests of other pages, too: a change takes a form of ours besides.
        if session is not None and (request.method in _SAFE or is_page(request)):
            return session.principal
        return None


class _ResponseSender:
    """Adds the headers of every response, measures its latency, and logs requested changes.

    Attributes:
        status: of the response that has begun, after which no other can be sent; 0 before.
    """

    def __init__(self, request: Request, send: Send, metrics: Metrics) -> None:
        self._request = request
        self._send = send
        self._metrics = metrics
        self._began = time.perf_counter()
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Send a part of a response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.update(_SECURITY)
            headers["Content-Security-Policy"] = _PAGE_POLICY if is_page(self._request) else _API_POLICY
            headers.setdefault("Cache-Control", "no-store")
            # The latency of a stream is that of its beginning.
            self._metrics.http_request(self._route(), self.status, time.perf_counter() - self._began)
        await self._send(message)

    def log_request(self) -> None:
        """Log a requested change and its principal; never the query string, a header or the body."""
        principal = getattr(self._request.state, "principal", None)
        _log.info(
            "http_request",
            method=self._request.method,
            path=path_of(self._request),
            status=self.status,
            principal=principal.name if principal is not None else None,
        )

    def _route(self) -> str:
        """The route's path template: paths with their values would be labels without bound."""
        path = getattr(self._request.scope.get("route"), "path", None)
        return path if isinstance(path, str) else _NO_ROUTE


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
    """Refuse a path or query that is no UTF-8, or that PostgreSQL cannot store as text."""
    decoded = unquote_to_bytes(_raw_path(request)) + b" " + unquote_to_bytes(request.scope["query_string"])
    try:
        is_text = "\0" not in decoded.decode()
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "The path or the query string is not UTF-8, or has a NUL character in it."
        )


def _check_site(request: Request, *, access: Access) -> None:
    """Refuse what another site makes a browser send.

    Without tokens the Host header is the only protection: a page whose name was rebound to this address would
    be of the same origin.
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
    except ValueError:  # not a URL
        return False


def _raw_path(request: Request) -> bytes:
    path: bytes = request.scope.get("raw_path") or path_of(request).encode()
    return path


def _bounded(receive: Receive) -> Receive:
    """Limit the size of a body without a declared length."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise _too_large()
        return message

    return bounded
