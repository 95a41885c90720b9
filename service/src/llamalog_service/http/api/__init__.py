"""The API: one module a subject, each with its routes; `routing` and `openapi` are shared."""

from collections.abc import Sequence

from fastapi import APIRouter

from llamalog_service.http.api import (
    backfills,
    explanations,
    lineages,
    logs,
    operations,
    summaries,
    unresolved,
)

ROUTERS: Sequence[APIRouter] = (
    lineages.routes,
    logs.routes,
    explanations.routes,
    summaries.routes,
    unresolved.routes,
    backfills.routes,
    operations.routes,
)
