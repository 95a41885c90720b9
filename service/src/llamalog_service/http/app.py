"""The app: routes for programs, pages for people, and what every request passes first."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version

from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute

from llamalog_service.http import api as routes
from llamalog_service.http import web as ui
from llamalog_service.http.access import Access
from llamalog_service.http.api.openapi import document
from llamalog_service.http.context import Context
from llamalog_service.http.failures import tell_failures
from llamalog_service.http.middleware.guard import Guard
from llamalog_service.http.middleware.head import Heads
from llamalog_service.http.operations import Operations
from llamalog_service.http.run_accepted import AskedRuns
from llamalog_service.http.sessions import Sessions
from llamalog_service.http.streams import Streams
from llamalog_service.postgres.statements import Reader
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics


def create_app(
    reader: Reader,
    operations: Operations,
    *,
    access: Access,
    metrics: Metrics = NULL_METRICS,
    probes: Sequence[BaseRoute] = (),
) -> FastAPI:
    """The API under `/`, the pages under `/ui`.

    Args:
        reader: for the queries.
        operations: what needs Kafka.
        access: who may do what.
        metrics: told how long queries took.
        probes: where the process tells how it is.
    """
    sessions = Sessions(access)
    app = FastAPI(
        title="llamalog",
        version=version("llamalog-service"),
        responses={HTTPStatus.UNPROCESSABLE_ENTITY.value: {}},  # FastAPI's own words for it are not ours
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = cache(lambda: document(app))  # type: ignore[method-assign]
    app.state.context = Context(reader, operations, metrics, access, sessions, Streams(), AskedRuns())
    app.add_middleware(Guard, access=access, sessions=sessions, metrics=metrics)
    app.add_middleware(Heads)
    tell_failures(app)
    routers = [*routes.ROUTERS, *ui.ROUTERS]
    app.state.routes = [*probes, *(route for router in routers for route in router.routes)]
    for router in routes.ROUTERS:
        app.include_router(router)
    ui.mount(app)
    app.router.routes.extend(probes)
    app.add_api_route("/", _home, include_in_schema=False)
    return app


async def _home() -> RedirectResponse:
    return RedirectResponse("/ui")
