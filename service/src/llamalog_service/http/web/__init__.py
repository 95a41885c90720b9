"""The pages: one module a subject, each with a `router`; templates and static files beside them."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from llamalog_service.http.web import (
    backfills,
    conflicts,
    docs,
    find,
    health,
    logs,
    roots,
    session,
    timeline,
    tree,
    waiting,
)
from llamalog_service.http.web import dead_letters as letters

ROUTERS: Sequence[APIRouter] = (
    roots.router,
    timeline.router,
    tree.router,
    logs.router,
    find.router,
    waiting.router,
    conflicts.router,
    letters.router,
    backfills.router,
    health.router,
    docs.router,
    session.router,
)
"""Of every subject; their paths begin with `/ui`."""

_STATIC = Path(__file__).parent / "static"


def mount(app: FastAPI) -> None:
    """Add the pages to an app; they are no part of its OpenAPI document."""
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/ui/static", _KeptFiles(directory=_STATIC), name="static")


class _KeptFiles(StaticFiles):
    """Files that a browser keeps, and asks of each page's anew whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
