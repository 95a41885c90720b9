"""`/decrees`: an operator's word that a job never seen counts as a root, or no longer does."""

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

router = strict_router("decrees")

_EXAMPLES: Final = {
    "adopt": {"jobId": "import-2019", "adopt": True, "reason": "The importer was never connected."},
    "revoke": {"jobId": "import-2019", "adopt": False, "reason": "It was, under another name."},
}


class DecreeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A decree; who decrees is known from the token."""

    job_id: JobId
    adopt: Annotated[bool, Meta(description="False takes an adoption back.")]
    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


@router.post(
    "/decrees",
    status_code=HTTPStatus.ACCEPTED,
    summary="Adopt a job never seen as a root, or take that back",
    responses=answers(
        RootAdopted | RootAdoptionRevoked,
        "The decree, as it was published among the entity events.",
        status=HTTPStatus.ACCEPTED,
        conflict="It would have no effect: the job's own event has been seen.",
    ),
    openapi_extra=takes(DecreeRequest, "What is decreed.", _EXAMPLES),
)
async def decree(request: Request, operations: TheOperations, principal: AnAdmin) -> Response:
    """Needs the scope `admin`. Nothing keeps one from being made twice: the later one counts."""
    wanted = await read_body(request, DecreeRequest)
    made = await operations.decree_root(
        wanted.job_id, adopted=wanted.adopt, reason=wanted.reason, requested_by=principal.name
    )
    return answer(made, HTTPStatus.ACCEPTED)
