"""The socket and the connections of an HTTP server: bounded in number, with deadlines for their clients.

Uvicorn waits without an end for a request that has begun, and for a client to take its response.
"""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterable
from enum import Enum, auto
from http import HTTPStatus
from socket import AF_INET, AF_INET6
from typing import Any, Final, NamedTuple

import h11
import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from llamalog_service.domain.errors import LlamalogError

_log = structlog.get_logger("llamalog.http")

MAX_HEAD_BYTES: Final = 32 * 1024
"""Of a request line with its headers; the API refuses less in words of its own."""

_PROBLEM_TYPE: Final = "application/problem+json"
_RETRY_AFTER: Final = {"Retry-After": "2", "Connection": "close"}
_SECONDS_BETWEEN_WARNINGS: Final = 10.0
_LINGER_SECONDS: Final = 1.0
"""After a refusal what the client still sends is discarded for so long: a reset would destroy the refusal."""


class PortTakenError(LlamalogError):
    """The process cannot listen on its configured address."""


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket, on any free port where the port is 0.

    Args:
        setting: the environment variable of the port, for the message.

    Raises:
        PortTakenError: the address cannot be bound.
    """
    try:
        return socket.create_server((host, port), family=AF_INET6 if ":" in host else AF_INET)
    except OSError as error:
        raise PortTakenError(
            f"{host}:{port}, where the process is to answer, cannot be listened on: {error}. It was not "
            f"started. Give it another port with {setting}, or 0 for any free one, which its log then names."
        ) from error


class ConnectionLimits(NamedTuple):
    """The limits of a server's connections.

    Attributes:
        connections: how many there are at most. One more takes the place of one that waits for its client; if
            none does, it is refused.
        request_seconds: until the head of a request has come, and again until its body has.
        idle_seconds: between a response and the next request.
        response_seconds: until a client has taken what was written.
        unsent_bytes: written and not taken, of all connections.
    """

    connections: int
    request_seconds: float
    idle_seconds: float
    response_seconds: float = 60.0
    unsent_bytes: int = 64 * 1024 * 1024


class BoundedConfig(Config):
    """The configuration of a server with bounded connections and without logs of its own."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits, **options: Any) -> None:
        self.limits = limits
        self.warned_at = -_SECONDS_BETWEEN_WARNINGS
        super().__init__(
            app,
            http=_BoundedConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            **options,
        )


class _Awaited(Enum):
    """The part of a request that a connection waits for."""

    HEAD = auto()
    BODY = auto()


class _BoundedConnection(H11Protocol):
    """A connection that ends when its client keeps it waiting.

    Attributes:
        since: when it was opened, or its last request was complete.
    """

    config: BoundedConfig

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._limits = self.config.limits
        self._awaited: _Awaited | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unsent_deadline: asyncio.TimerHandle | None = None
        self._has_ended = False
        self.since = time.monotonic()
        self._await(_Awaited.HEAD)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._await(None)
        self._forget_unsent()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, and wait for the next one."""
        if self._has_ended:
            return
        super().data_received(data)
        self._await_next()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that the app did not read."""
        self.since = time.monotonic()
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._await_next()
        self._await_taken()

    def pause_writing(self) -> None:
        """Wait for the client to take what was written."""
        super().pause_writing()
        self._await_taken()
        paused = [other for other in self._others() if other.unsent]
        if self.unsent + sum(other.unsent for other in paused) > self._limits.unsent_bytes:
            self._warn("the slowest reader was cut off: too much is written and not taken")
            min([self, *paused], key=lambda one: one.since).transport.abort()

    def resume_writing(self) -> None:
        """Write again."""
        self._forget_unsent()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or has too long a head."""
        if len(self.conn.trailing_data[0]) > MAX_HEAD_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            detail = f"The head of a request has at most {MAX_HEAD_BYTES:,} bytes."
        else:
            status, detail = HTTPStatus.BAD_REQUEST, "This is no HTTP/1.1 request."
        self._end(status, detail)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its client: for a request, or for the rest of one."""
        is_done = self.cycle is None or self.cycle.response_complete or self.cycle.disconnected
        return is_done or self.conn.their_state is h11.SEND_BODY

    @property
    def unsent(self) -> int:
        """The bytes that were written and not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def address(self) -> str:
        """The address of its client."""
        return self.client[0] if self.client else ""

    def drop(self) -> None:
        """Close at once, to make room for another connection."""
        self.connections.discard(self)
        self.transport.abort() if self.unsent else self.transport.close()

    def _make_room(self) -> None:
        """Close the connection that has waited longest, of the address with most of those that wait.

        A client that opens many thus loses its own ones.
        """
        if len(self.connections) <= self._limits.connections:
            return
        waiting = [other for other in self._others() if other.is_waiting]
        self._warn("all connections are taken", refused=not waiting)
        if not waiting:
            self.app = _refuse
            return
        of_address = Counter(other.address for other in waiting)
        min(waiting, key=lambda other: (-of_address[other.address], other.since)).drop()

    def _others(self) -> "Iterable[_BoundedConnection]":
        return [other for other in self.connections if other is not self]  # type: ignore[misc]

    def _await_next(self) -> None:
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._await(_Awaited.BODY)
        elif state is h11.IDLE:
            self._await(_Awaited.HEAD)
        else:
            self._await(None)

    def _await(self, part: _Awaited | None) -> None:
        """Set the deadline of a part, which begins with its first byte."""
        if part is self._awaited:
            return
        self._awaited = part
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if part is not None:
            self._deadline = self.loop.call_later(self._limits.request_seconds, self._expire)

    def _expire(self) -> None:
        """End a connection whose client keeps it waiting; one that has sent nothing is not answered."""
        if self._awaited is _Awaited.HEAD and not self.conn.trailing_data[0]:
            self.transport.close()
            return
        part = "head" if self._awaited is _Awaited.HEAD else "body"
        self._end(
            HTTPStatus.REQUEST_TIMEOUT,
            f"The {part} of a request has to come within {self._limits.request_seconds:g} s. "
            "Nothing was done.",
        )

    def _end(self, status: HTTPStatus, detail: str) -> None:
        """Answer with a problem, unless a response has begun, and close soon."""
        is_answered = self.cycle is not None and self.cycle.response_started
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        else:
            is_answered = False  # by the response to the request before
        if not is_answered and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = problem(status, detail)
            head = h11.Response(
                status_code=status,
                reason=status.phrase.encode(),
                headers=[
                    ("Content-Type", _PROBLEM_TYPE),
                    ("Content-Length", str(len(body))),
                    ("Connection", "close"),
                ],
            )
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.write_eof()
        self._has_ended = True
        self._await(None)
        self._unset_keepalive_if_required()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _await_taken(self) -> None:
        """Set the deadline for what was written, which a later response does not postpone."""
        if self.unsent and self._unsent_deadline is None:
            self._unsent_deadline = self.loop.call_later(self._limits.response_seconds, self._abort_if_unsent)
        elif not self.unsent:
            self._forget_unsent()

    def _abort_if_unsent(self) -> None:
        self._unsent_deadline = None
        if self.unsent:
            _log.info("slow client cut off", unsent_bytes=self.unsent)
            self.transport.abort()

    def _forget_unsent(self) -> None:
        if self._unsent_deadline is not None:
            self._unsent_deadline.cancel()
            self._unsent_deadline = None

    def _warn(self, what: str, **facts: object) -> None:
        """Warn, but not with every connection of a flood."""
        now = time.monotonic()
        if now - self.config.warned_at >= _SECONDS_BETWEEN_WARNINGS:
            self.config.warned_at = now
            _log.warning(what, address=self.address, connections=len(self.connections), **facts)


def problem(status: HTTPStatus, detail: str) -> bytes:
    """A problem document (RFC 9457) of a request that no app has seen."""
    fields = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    return json.dumps(fields).encode()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that there are too many connections."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    detail = "All connections are taken, and each is busy. Nothing was done. Ask again in a while."
    response = Response(problem(status, detail), status, _RETRY_AFTER, _PROBLEM_TYPE)
    await response(scope, receive, send)
