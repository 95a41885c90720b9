"""What every answer bears, and what is noted of it."""

import time
from typing import Final

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from llamalog_service.http.paths import path_of
from llamalog_service.http.web.pages import is_page
from llamalog_service.telemetry.metrics import Metrics

_log = structlog.get_logger("llamalog.http")

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


class Sending:
    """Adds the headers, metrics how long an answer was in coming, and logs who has asked for a change.

    Attributes:
        status: of the answer under way, so that no other can be given; 0 before there is one.
    """

    def __init__(self, request: Request, send: Send, metrics: Metrics) -> None:
        self._request = request
        self._send = send
        self._metrics = metrics
        self._began = time.perf_counter()
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Send a part of an answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.update(_SECURITY)
            headers["Content-Security-Policy"] = _PAGE_POLICY if is_page(self._request) else _API_POLICY
            headers.setdefault("Cache-Control", "no-store")
            # Of a stream it is the beginning that somebody waits for.
            self._metrics.http_request(self._route(), self.status, time.perf_counter() - self._began)
        await self._send(message)

    def tell(self) -> None:
        """Log who has asked for a change; never what stands in a query string, a header or a body."""
        principal = getattr(self._request.state, "principal", None)
        _log.info(
            "asked",
            method=self._request.method,
            path=path_of(self._request),
            status=self.status,
            who=principal.name if principal is not None else None,
        )

    def _route(self) -> str:
        """As it is declared: the values in a path would be labels without end."""
        path = getattr(self._request.scope.get("route"), "path", None)
        return path if isinstance(path, str) else _NO_ROUTE
