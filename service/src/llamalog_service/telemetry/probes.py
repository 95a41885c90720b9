"""The HTTP endpoints `/livez`, `/readyz` and `/metrics`, and the server of a port that has them alone."""

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn import Server

from llamalog_service.http_connections import BoundedConfig, ConnectionLimits
from llamalog_service.telemetry.liveness import Health

_LIMITS: Final = ConnectionLimits(
    connections=64, request_seconds=5.0, idle_seconds=30.0, response_seconds=10.0
)
"""Of a port that probes and one or two scrapers use."""


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
