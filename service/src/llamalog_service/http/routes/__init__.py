"""The API: one router a subject."""

from collections.abc import Sequence

from fastapi import APIRouter

from llamalog_service.http.routes import (
    backfills,
    catalogue,
    conflicts,
    decrees,
    health,
    letters,
    lineages,
    logs,
)

ROUTERS: Sequence[APIRouter] = (
    lineages.router,
    logs.router,
    catalogue.router,
    conflicts.router,
    letters.router,
    backfills.router,
    decrees.router,
    health.router,
)
