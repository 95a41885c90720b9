"""`/dead-letters`, `/overrides`, `/health/summary`: operation of an installation."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path as PathParameter
from fastapi import Query, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from llamalog_schemas.events import (
    EntityEvent,
    EventRetracted,
    EventRetractionRevoked,
    RootAdopted,
    RootAdoptionRevoked,
)
from llamalog_schemas.limits import JobId, UserId
from llamalog_service.dead_letters.listing import DeadLetterCounts, DeadLetterFilter, DeadLetterMessage
from llamalog_service.http.access import Scope
from llamalog_service.http.api.openapi import request_body, responses
from llamalog_service.http.api.routing import (
    CursorText,
    Limit,
    PageDep,
    Text,
    Timestamp,
    json_response,
    label,
    read_body,
    router,
    search,
)
from llamalog_service.http.context import AdminDep, ContextDep, ReaderDep, RetractorDep, ServicesDep
from llamalog_service.http.health import HealthSummary
from llamalog_service.personal_data.erasure import ErasureReport
from llamalog_service.queries.overrides import Override, read_overrides
from llamalog_service.queries.paging import DEFAULT_LIMIT, Page

routes = router("operations")

_NO_TOPIC: Final = "There is no topic of dead letters."
_EXAMPLES: Final = {
    "adopt": {"jobId": "import-2019", "adopt": True, "reason": "The importer was never connected."},
    "revoke": {"jobId": "import-2019", "adopt": False, "reason": "It was, under another name."},
}
_CORRECTIONS: Final = {
    "correct": {
        "event": {
            "specversion": "1.0",
            "id": "import/7",
            "source": "/catalogue/enrichment",
            "type": "llamalog.entity-created.v1",
            "time": "2026-02-10T10:30:00.123Z",
            "data": {
                "entityType": "ALBUM",
                "entityId": "0199a1b2-c3d4-7e5f-8a6b-000000000001",
                "operation": "album:created",
                "status": "SUCCESS",
            },
        },
    },
}
_RETRACTIONS: Final = {
    "retract": {"rowId": "0199a1b2-c3d4-7e5f-8a6b-000000000001", "reason": "It named the wrong parent."},
    "revoke": {
        "rowId": "0199a1b2-c3d4-7e5f-8a6b-000000000001",
        "reason": "It was right after all.",
        "revoke": True,
    },
}
_ERASURES: Final = {
    "count": {"userId": "7c1f"},
    "erase": {"userId": "7c1f", "reason": "Their request of 10 February.", "dryRun": False},
}


class CorrectionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The correction of a dead letter; the token says who requests it."""

    event: Annotated[dict[str, Any], Meta(description="The whole event, a CloudEvent in structured JSON.")]
    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")] | None = None


class CorrectionAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """A corrected dead letter.

    Attributes:
        event: as it was sent.
        retracts: the row that bears its former id, and was taken back; null: there was none.
    """

    event: EntityEvent
    retracts: UUID | None


class ErasureRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A requested erasure; the token says who requests it."""

    user_id: UserId
    reason: Annotated[
        str,
        Meta(max_length=2000, description="Kept for ever, so name no person; of a dry run it may be empty."),
    ] = ""
    dry_run: Annotated[bool, Meta(description="False erases; it cannot be revoked.")] = True


class RetractionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A requested retraction; the token says who requests it."""

    row_id: Annotated[UUID, Meta(description="The id of the event's row.")]
    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]
    revoke: Annotated[bool, Meta(description="True revokes a retraction: the event counts again.")] = False
    unseen: Annotated[
        bool,
        Meta(description="True: also an event that is not in the log. For administrators."),
    ] = False


class OverrideRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A requested root override; the token says who requests it."""

    job_id: JobId
    adopt: Annotated[bool, Meta(description="False revokes an adoption.")]
    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


@routes.get(
    "/dead-letters",
    summary="The dead letters by reason",
    responses=responses(DeadLetterCounts, "The newest ones, counted.", conflict=_NO_TOPIC),
)
async def dead_letter_counts(services: ServicesDep) -> Response:
    """Counted at most twice a minute."""
    return json_response(await services.dead_letters.counts())


@routes.get(
    "/dead-letters/messages",
    summary="Dead letters",
    responses=responses(
        Page[DeadLetterMessage],
        "The newest first. A page may be short, or empty, though there are more: `next` is set then.",
        conflict=_NO_TOPIC,
    ),
)
async def dead_letters(
    services: ServicesDep,
    *,
    reason: Annotated[Text | None, label("The reason's code.", "not-json")] = None,
    topic: Annotated[Text | None, search("The full name of the source topic.")] = None,
    producer: Annotated[
        Text | None,
        Query(
            min_length=1, max_length=1000, description="The `source` that the messages name, the whole of it."
        ),
    ] = None,
    since: Annotated[
        Timestamp | None, Query(description="When it became a dead letter: then or later.")
    ] = None,
    until: Annotated[Timestamp | None, Query(description="When it became one: before this time.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response:
    """Each with its source, the reason of its refusal, and the beginning of its content."""
    wanted = DeadLetterFilter(reason=reason, topic=topic, producer=producer, since=since, until=until)
    return json_response(await services.dead_letters.page(wanted, limit=limit, after=after))


@routes.post(
    "/dead-letters/messages/{partition}/{offset}/corrected",
    status_code=HTTPStatus.ACCEPTED,
    summary="Send the right event of a dead letter",
    responses=responses(
        CorrectionAnswer,
        "The event, as it was sent to the topic of entity events.",
        status=HTTPStatus.ACCEPTED,
        not_found="There is no dead letter at this position of its topic.",
        conflict="The contract refuses the event, or there is no topic of dead letters.",
    ),
    openapi_extra=request_body(CorrectionRequest, "The whole of the right event.", _CORRECTIONS),
)
async def correct_dead_letter(
    request: Request,
    services: ServicesDep,
    principal: AdminDep,
    partition: Annotated[int, PathParameter(ge=0, le=999_999_999)],
    offset: Annotated[int, PathParameter(ge=0, le=2**59)],
) -> Response:
    """Needs the scope `admin`. Repeating it does no harm.

    Where the event's id is recorded with another content, the one recorded is taken back, and this one gets a
    new id.
    """
    requested = await read_body(request, CorrectionRequest)
    correction = await services.correct_dead_letter(
        partition,
        offset,
        requested.event,
        reason=requested.reason,
        requested_by=principal.name,
    )
    answer = CorrectionAnswer(event=correction.event, retracts=correction.retracts)
    return json_response(answer, HTTPStatus.ACCEPTED)


@routes.get(
    "/overrides",
    summary="Overrides of operators",
    responses=responses(Page[Override], "The latest first, each with its effect, or what ended it."),
)
async def overrides(reader: ReaderDep, page: PageDep) -> Response:
    """The decrees of operators, with their effect at present."""
    return json_response(await read_overrides(reader, **page))


@routes.post(
    "/overrides",
    status_code=HTTPStatus.ACCEPTED,
    summary="Adopt a job never seen as a root, or revoke that",
    responses=responses(
        RootAdopted | RootAdoptionRevoked,
        "The override, as it was published in the topic of overrides.",
        status=HTTPStatus.ACCEPTED,
        conflict="It would have no effect: the job's own event has been seen.",
    ),
    openapi_extra=request_body(OverrideRequest, "The override.", _EXAMPLES),
)
async def override_root(request: Request, services: ServicesDep, principal: AdminDep) -> Response:
    """Needs the scope `admin`. Of several overrides of a job the latest counts."""
    requested = await read_body(request, OverrideRequest)
    published = await services.override_root(
        requested.job_id,
        adopted=requested.adopt,
        reason=requested.reason,
        requested_by=principal.name,
    )
    return json_response(published.override, HTTPStatus.ACCEPTED)


@routes.post(
    "/retractions",
    status_code=HTTPStatus.ACCEPTED,
    summary="Take an event back, or revoke that",
    responses=responses(
        EventRetracted | EventRetractionRevoked,
        "The retraction, as it was published in the topic of overrides.",
        status=HTTPStatus.ACCEPTED,
        not_found="There is no such row in the log.",
        conflict="It would change nothing: the event is retracted already, or is not.",
    ),
    openapi_extra=request_body(RetractionRequest, "The retraction.", _RETRACTIONS),
)
async def retract_event(request: Request, services: ServicesDep, principal: RetractorDep) -> Response:
    """Needs the scope `admin`, or a token of the event's producer. The row stays, and claims nothing."""
    requested = await read_body(request, RetractionRequest)
    may_all = principal.may(Scope.ADMIN)
    published = await services.retract_event(
        requested.row_id,
        retracted=not requested.revoke,
        reason=requested.reason,
        requested_by=principal.name,
        producer=None if may_all else principal.producer,
        unseen=requested.unseen and may_all,
    )
    return json_response(published.retraction, HTTPStatus.ACCEPTED)


@routes.post(
    "/erasures",
    summary="Erase a person, or count what is stored about one",
    responses=responses(
        ErasureReport,
        "What is stored about the person. Of a dry run nothing was published.",
        conflict="It gives no reason, or there is no topic of dead letters.",
    ),
    openapi_extra=request_body(ErasureRequest, "The erasure; a dry run unless it says otherwise.", _ERASURES),
)
async def erase_user(request: Request, services: ServicesDep, principal: AdminDep) -> Response:
    """Needs the scope `admin`. It counts for all events, past and to come, and cannot be revoked."""
    requested = await read_body(request, ErasureRequest)
    report = await services.erase_user(
        requested.user_id,
        reason=requested.reason,
        requested_by=principal.name,
        is_dry_run=requested.dry_run,
    )
    return json_response(report)


@routes.get(
    "/health/summary",
    summary="Lag, rates, time to root, size",
    responses=responses(HealthSummary, "What could not be read is null, and `unreachable` names its source."),
)
async def health_summary(context: ContextDep) -> Response:
    """Read from Kafka, PostgreSQL and the consumers' own metrics; answers also while they are away."""
    return json_response(await context.services.health.summary(context.streams.open))
