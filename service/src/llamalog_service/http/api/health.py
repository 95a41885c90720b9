"""`/health/summary`: how the installation is."""

from starlette.responses import Response

from llamalog_service.http.api.responses import answer, answers
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import TheContext
from llamalog_service.http.health import HealthSummary

router = strict_router("health")


@router.get(
    "/health/summary",
    summary="Lag, rates, time to root, size",
    responses=answers(HealthSummary, "What could not be asked is null, and `silent` says what that was."),
)
async def summary(context: TheContext) -> Response:
    """Asked of Kafka, PostgreSQL and the consumers' own metrics; it answers also while they are away."""
    return answer(await context.operations.health(context.streams.open))
