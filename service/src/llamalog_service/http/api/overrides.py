"""`/overrides`: an operator's override: a job never seen counts as a root, or no longer does."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Request
from msgspec import Meta, Struct
from starlette.responses import Response

from llamalog_schemas.events import RootAdopted, RootAdoptionRevoked
from llamalog_schemas.limits import JobId
from llamalog_service.http.api.bodies import read_body
from llamalog_service.http.api.responses import answer, answers, takes
from llamalog_service.http.api.strict import router as strict_router
from llamalog_service.http.context import AnAdmin, TheOperations

router = strict_router("overrides")

_EXAMPLES: Final = {
    "adopt": {"jobId": "import-2019", "adopt": True, "reason": "The importer was never connected."},
    "revoke": {"jobId": "import-2019", "adopt": False, "reason": "It was, under another name."},
}


class OverrideRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A requested override; the token names its operator."""

    job_id: JobId
    adopt: Annotated[bool, Meta(description="False takes an adoption back.")]
    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


@router.post(
    "/overrides",
    status_code=HTTPStatus.ACCEPTED,
    summary="Adopt a job never seen as a root, or take that back",
    responses=answers(
        RootAdopted | RootAdoptionRevoked,
        "The override, as it was published among the entity events.",
        status=HTTPStatus.ACCEPTED,
        conflict="It would have no effect: the job's own event has been seen.",
    ),
    openapi_extra=takes(OverrideRequest, "The override.", _EXAMPLES),
)
async def override(request: Request, operations: TheOperations, principal: AnAdmin) -> Response:
    """Needs the scope `admin`. Nothing keeps one from being made twice: the later one counts."""
    wanted = await read_body(request, OverrideRequest)
    made = await operations.override_root(
        wanted.job_id, adopted=wanted.adopt, reason=wanted.reason, requested_by=principal.name
    )
    return answer(made, HTTPStatus.ACCEPTED)
