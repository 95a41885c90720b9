"""The API: one router a subject."""

from collections.abc import Sequence

from fastapi import APIRouter

from llamalog_service.http.api import backfills, catalogue, conflicts, health, lineages, logs
from llamalog_service.http.api import dead_letters as letters
from llamalog_service.http.api import overrides as overrides

ROUTERS: Sequence[APIRouter] = (
    lineages.router,
    logs.router,
    catalogue.router,
    conflicts.router,
    letters.router,
    backfills.router,
    overrides.router,
    health.router,
)
