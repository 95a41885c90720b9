"""The server of the API and its pages: an app on a listening socket, until a signal."""

import asyncio
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from fastapi import FastAPI
from uvicorn import Server

from llamalog_service.http_connections import BoundedConfig, ConnectionLimits

_log = structlog.get_logger("llamalog.api")

_GRACE_SECONDS: Final = 5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def serve(app: FastAPI, listener: socket.socket, limits: ConnectionLimits) -> None:
    """Serve an app on a listening socket, until a signal."""
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _log.info("serving", address=address, pages=f"{address}/ui")
    await make_server(app, limits).serve(sockets=[listener])


def make_server(app: FastAPI, limits: ConnectionLimits) -> Server:
    """A server without logs of its own; outside the main thread it handles no signals.

    Args:
        app: as of `create_app`.
        limits: there are no more connections than half of the files that the process may have open.
    """
    limits = limits._replace(connections=min(limits.connections, _open_files() // 2))
    return _Server(BoundedConfig(app, limits, log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS))


def _open_files() -> int:
    """The number of files and sockets that this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


class _Server(Server):
    """A server that closes streams before it waits for open responses: they would never end by themselves."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals as the two consumers do: uvicorn would raise them again at its end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the streams, then the server."""
        app: FastAPI = self.config.app  # type: ignore[assignment]
        app.state.context.streams.close()
        await super().shutdown(sockets)
