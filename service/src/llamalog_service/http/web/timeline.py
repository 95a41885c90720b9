"""`/ui/entities/…`: how an album, an artist or a track got here, and what happened to it afterwards."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_service.http.context import TheMeasures, TheReader
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.branches import arranged, names_in
from llamalog_service.http.web.form_parser import Asked, Tab
from llamalog_service.http.web.formatting import entity_link, link, spoken, visible
from llamalog_service.http.web.pages import render
from llamalog_service.queries.entities import read_entity_summary
from llamalog_service.queries.names import EntityRef
from llamalog_service.queries.timeline import Timeline, read_timeline

router = APIRouter()

_FIELDS: Final = ("order", "origins")
_ROWS: Final = 200


@router.get("/ui/entities/{kind}/{entity_id}")
async def entity(
    request: Request, reader: TheReader, metrics: TheMeasures, kind: EntityType, entity_id: UUID
) -> Response:
    """A summary, and a piece of the timeline."""
    asked = Asked(request.query_params, _FIELDS)
    after = asked.after()
    asked.check()
    ref = EntityRef(type=kind, id=entity_id)
    with_unknown = asked.texts["origins"] != "known"
    timeline = await read_timeline(
        reader, ref, include_orphans=with_unknown, limit=_ROWS, after=after, metrics=metrics
    )
    summary = await read_entity_summary(reader, ref) if after is None else None
    if not timeline.entries and summary is not None and not summary.rows:
        raise _unknown(ref)
    return render(
        request,
        "entity.html",
        title=f"{visible(timeline.name or entity_id)}, {spoken(kind)}",
        page="roots",
        entity_type=kind,
        entity_id=entity_id,
        name=timeline.name,
        summary=summary,
        lines=arranged(timeline, in_time=asked.texts["order"] == "time"),
        names=await names_in(reader, [entry.row for entry in timeline.entries]),
        longer=timeline.longer,
        first_piece=after is None,
        next=entity_link(kind, entity_id, **asked.texts, after=timeline.next) if timeline.next else None,
        tabs=_tabs(ref, asked),
        unknown=link("/ui/logs", entityType=kind, entityId=entity_id, unknownOriginOnly=True),
        streams=_streams(ref, timeline),
        json=link(f"/timelines/{kind}/{entity_id}", includeOrphans=None if with_unknown else "false"),
    )


def _tabs(ref: EntityRef, asked: Asked) -> list[list[Tab]]:
    order, origins = asked.texts["order"], asked.texts["origins"]

    def tab(label: str, order_: str, origins_: str) -> Tab:
        href = entity_link(ref.type, ref.id, order=order_, origins=origins_)
        return Tab(label, href, is_current=(order_, origins_) == (order, origins))

    return [
        [tab("By job", "", origins), tab("By time", "time", origins)],
        [tab("All rows", order, ""), tab("Known origin only", order, "known")],
    ]


def _streams(ref: EntityRef, timeline: Timeline) -> list[str]:
    """Rows about the entity itself, and those of its root; of several roots the page tells by itself."""
    about = link("/logs/stream", entityType=ref.type, entityId=ref.id)
    roots = {entry.row.root_job_id for entry in timeline.entries} - {None}
    return [about, *(link("/logs/stream", root=root) for root in roots if len(roots) == 1)]


def _unknown(ref: EntityRef) -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        f"The log knows no {spoken(ref.type)} {ref.id}. The id may be mistyped or that of another kind of "
        "entity, or its first event has not been recorded yet.",
    )
