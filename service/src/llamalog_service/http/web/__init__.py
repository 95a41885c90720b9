"""The pages: one module a subject, each with its routes; templates and static files beside them."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from llamalog_service.http.web import (
    backfills,
    docs,
    explanations,
    lineages,
    login,
    logs,
    operations,
    root_jobs,
    unresolved,
)

ROUTERS: Sequence[APIRouter] = (
    root_jobs.routes,
    lineages.routes,
    logs.routes,
    explanations.routes,
    unresolved.routes,
    operations.routes,
    backfills.routes,
    docs.routes,
    login.routes,
)
"""Their paths begin with `/ui`."""

_STATIC = Path(__file__).parent / "static"


def mount(app: FastAPI) -> None:
    """Add the pages to an app, outside of its OpenAPI document."""
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/ui/static", _CachedFiles(directory=_STATIC), name="static")


class _CachedFiles(StaticFiles):
    """Files that a browser caches, and revalidates with every page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
