"""The ASGI app: routes for programs, pages for people, and the middleware before both."""

import asyncio
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from llamalog_service.http import api, web
from llamalog_service.http.access import Access
from llamalog_service.http.api.openapi import document
from llamalog_service.http.context import Context, Services
from llamalog_service.http.exception_handlers import add_exception_handlers
from llamalog_service.http.middleware import GuardMiddleware, HeadMiddleware
from llamalog_service.http.sessions import Sessions
from llamalog_service.http.streams import Streams
from llamalog_service.postgres.reader import Reader
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_MIN_GZIP_BYTES: Final = 1024
_MIN_THREAD_BYTES: Final = 32 * 1024


def create_app(
    reader: Reader,
    services: Services,
    *,
    access: Access,
    streams: Streams,
    metrics: Metrics = NULL_METRICS,
    probes: Sequence[BaseRoute] = (),
) -> FastAPI:
    """The API under `/`, the pages under `/ui`.

    Args:
        reader: for the queries.
        services: those that need Kafka.
        access: the tokens.
        streams: bounds the server-sent events.
        metrics: get the latency of requests and queries.
        probes: routes of liveness, readiness and metrics.
    """
    sessions = Sessions(access)
    app = FastAPI(
        title="llamalog",
        version=version("llamalog-service"),
        responses={HTTPStatus.UNPROCESSABLE_ENTITY.value: {}},  # replaces FastAPI's own schema of it
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = cache(lambda: document(app))  # type: ignore[method-assign]
    app.state.context = Context(
        reader=reader,
        services=services,
        metrics=metrics,
        access=access,
        sessions=sessions,
        streams=streams,
    )
    # The one secret in a page, its CSRF token, is of a cookie that no other site can make a browser send.
    app.add_middleware(
        GZipMiddleware, minimum_size=_MIN_GZIP_BYTES, compresslevel=5, thread_minimum_size=_MIN_THREAD_BYTES
    )
    app.add_middleware(GuardMiddleware, access=access, sessions=sessions, metrics=metrics)
    app.add_middleware(HeadMiddleware)
    add_exception_handlers(app)
    routers = [*api.ROUTERS, *web.ROUTERS]
    app.state.routes = [*probes, *(route for router in routers for route in router.routes)]
    for router in api.ROUTERS:
        app.include_router(router)
    web.mount(app)
    app.router.routes.extend(probes)
    app.add_api_route("/", _home, include_in_schema=False)
    app.add_api_route("/openapi.json", _document, include_in_schema=False)
    return app


async def _document(request: Request) -> Response:
    # Made at the first request, which takes a while.
    return JSONResponse(await asyncio.to_thread(request.app.openapi))


async def _home() -> RedirectResponse:
    return RedirectResponse("/ui")
