"""The HTTP endpoints `/livez`, `/readyz` and `/metrics`, and the socket that they are served on."""

import socket
from collections.abc import Callable, Sequence
from socket import AF_INET, AF_INET6
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn import Server

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.http_connections import BoundedConfig, ConnectionLimits
from llamalog_service.telemetry.liveness import Health

_LIMITS: Final = ConnectionLimits(
    connections=64, request_seconds=5.0, idle_seconds=30.0, response_seconds=10.0
)
"""Of a port that probes and one or two scrapers use."""


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


def application(health: Callable[[], Health], registry: CollectorRegistry) -> Starlette:
    """The three endpoints as an application; the arguments are those of `probes`."""
    return Starlette(routes=probes(health, registry))


def probes(health: Callable[[], Health], registry: CollectorRegistry) -> list[Route]:
    """The routes of the three endpoints.

    Args:
        health: returns the present health.
        registry: the metrics that are served.
    """

    async def livez(_: Request) -> Response:
        return _answer(health().stalled)

    async def readyz(_: Request) -> Response:
        return _answer(health().unready)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=None, headers={"content-type": content_type})

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _answer(reasons: Sequence[str]) -> Response:
    return JSONResponse({"ok": not reasons, "reasons": reasons}, 503 if reasons else 200)


def server(app: Starlette) -> Server:
    """A server without logs of its own; outside the main thread it installs no signal handlers."""
    return Server(BoundedConfig(app, _LIMITS, loop="asyncio", log_level="error"))
