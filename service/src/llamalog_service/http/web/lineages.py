"""`/ui/entities/…` and `/ui/jobs`: the timeline of an album, artist or track, and the tree of a job."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_schemas.events import EntityType
from llamalog_service.http.context import ContextDep, ReaderDep
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.form_parser import FormQuery, Tab
from llamalog_service.http.web.formatting import entity_link, humanize, job_link, link, visible
from llamalog_service.http.web.lines import read_row_names, tree_lines
from llamalog_service.http.web.pages import no_such_job, render
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef, read_entity_summary
from llamalog_service.queries.jobs import read_chain, read_children, read_tree
from llamalog_service.queries.lineages import job_depths
from llamalog_service.queries.paging import Cursor
from llamalog_service.queries.retractions import read_retractions
from llamalog_service.queries.timeline import Timeline, read_timeline

routes = APIRouter()

_ENTITY_FIELDS: Final = ("order", "origins", "asOf")
_JOB_FIELDS: Final = ("job", "view", "asOf")
_VIEWS: Final = (("", "By job"), ("time", "By time"), ("next", "Next jobs only"))
_ROWS: Final = 200
_JOBS: Final = 100
_LINKS: Final = 100
"""Jobs of a long chain that can be unfolded."""


@routes.get("/ui/entities/{kind}/{entity_id}")
async def entity(request: Request, context: ContextDep, kind: EntityType, entity_id: UUID) -> Response:
    """A summary, and a page of the timeline."""
    reader = context.reader
    form = FormQuery(request.query_params, _ENTITY_FIELDS)
    after, as_of = form.after(), form.timestamp("asOf")
    form.check()
    ref = EntityRef(type=kind, id=entity_id)
    with_unknown = form.texts["origins"] != "known"
    timeline = await read_timeline(
        reader,
        ref,
        include_orphans=with_unknown,
        limit=_ROWS,
        after=after,
        brief=True,
        as_of=as_of,
        metrics=context.metrics,
    )
    is_present = after is None and as_of is None
    summary = await read_entity_summary(reader, ref) if is_present else None
    if not timeline.entries and summary is not None and not summary.rows:
        raise _unknown_entity(ref)
    rows = [entry.row for entry in timeline.entries]
    retractions = await read_retractions(reader, rows, as_of)
    return await render(
        request,
        "entity.html",
        title=f"{visible(timeline.name or entity_id)}, {humanize(kind)}",
        page="roots",
        entity_type=kind,
        entity_id=entity_id,
        name=timeline.name,
        summary=summary,
        lines=tree_lines(timeline, retractions, by_time=form.texts["order"] == "time"),
        names=await read_row_names(reader, rows),
        longer=timeline.longer,
        first_page=after is None,
        next=entity_link(kind, entity_id, **form.texts, after=timeline.next) if timeline.next else None,
        tabs=_tabs(ref, form),
        unknown=link("/ui/logs", entityType=kind, entityId=entity_id, unknownOriginOnly=True),
        streams=_streams(ref, timeline),
        as_of=as_of,
        fields=form.texts,
        json=link(
            f"/timelines/{kind}/{entity_id}",
            includeOrphans=None if with_unknown else "false",
            asOf=as_of,
        ),
    )


def _tabs(ref: EntityRef, form: FormQuery) -> list[list[Tab]]:
    order, origins, as_of = form.texts["order"], form.texts["origins"], form.texts["asOf"]

    def tab(label: str, order_: str, origins_: str) -> Tab:
        href = entity_link(ref.type, ref.id, order=order_, origins=origins_, asOf=as_of)
        return Tab(label, href, is_current=(order_, origins_) == (order, origins))

    return [
        [tab("By job", "", origins), tab("By time", "time", origins)],
        [tab("All rows", order, ""), tab("Known origin only", order, "known")],
    ]


def _streams(ref: EntityRef, timeline: Timeline) -> list[str]:
    """Streams of the rows about the entity, and of its root; with several roots the page polls instead."""
    about = link("/logs/stream", entityType=ref.type, entityId=ref.id)
    roots = {entry.row.root_job_id for entry in timeline.entries} - {None}
    return [about, *(link("/logs/stream", root=root) for root in roots if len(roots) == 1)]


def _unknown_entity(ref: EntityRef) -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        f"The log knows no {humanize(ref.type)} {ref.id}. The id may be mistyped or that of another kind of "
        "entity, or its first event has not been recorded yet.",
    )


@routes.get("/ui/jobs")
async def job(request: Request, reader: ReaderDep) -> Response:
    """The chain upwards, and a page of what is below: as a tree, by time, or the next jobs only."""
    form = FormQuery(request.query_params, _JOB_FIELDS)
    after, as_of = form.after(), form.timestamp("asOf")
    form.check()
    named, view = form.text("job"), form.texts["view"]
    if as_of is not None and view == "next":
        view = ""  # the jobs directly below are those of now
    if named is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "No job was named. The address of one is /ui/jobs?job=…")
    chain = await read_chain(reader, named)
    if view == "next":
        below = await _children(reader, named, view, after)
    else:
        below = await _tree(reader, named, view, after, as_of=as_of, moment=form.texts["asOf"])
    if after is None and as_of is None and chain.root is None and chain.origin is None and not below["found"]:
        raise no_such_job(named)
    return await render(
        request,
        "job.html",
        title=f"{visible(named)}, job",
        page="roots",
        job=named,
        chain=chain,
        chain_json=link("/chain", job=named),
        explanation=link("/ui/explanation", job=named),
        shown_links=_LINKS,
        view=view,
        first_page=after is None,
        as_of=as_of,
        fields=form.texts,
        tabs=[_job_tabs(named, view, form.texts["asOf"], is_past=as_of is not None)],
        # Its own rows show when the root becomes known that all below it wait for.
        streams=[link("/logs/stream", root=chain.root, job=None if chain.root else named)],
        **below,
    )


def _job_tabs(job: str, view: str, moment: str, *, is_past: bool) -> list[Tab]:
    return [
        Tab(label, job_link(job, view=to, asOf=moment), is_current=view == to)
        for to, label in _VIEWS
        if not (is_past and to == "next")
    ]


async def _tree(
    reader: Reader, job: str, view: str, after: Cursor | None, *, as_of: datetime | None, moment: str
) -> Mapping[str, Any]:
    """The rows below a job, also as of a time, which was typed as `moment`."""
    tree = await read_tree(reader, job, limit=_ROWS, after=after, brief=True, as_of=as_of)
    top = job_depths(tree.parents).get(job, 0)
    rows = [entry.row for entry in tree.entries]
    retractions = await read_retractions(reader, rows, as_of)
    return {
        "found": bool(tree.entries),
        "longer": tree.longer,
        "lines": tree_lines(tree, retractions, by_time=view == "time", top=top),
        "names": await read_row_names(reader, rows),
        "next": job_link(job, view=view, asOf=moment, after=tree.next) if tree.next else None,
        "json": link("/tree", job=job, asOf=as_of),
    }


async def _children(reader: Reader, job: str, view: str, after: Cursor | None) -> Mapping[str, Any]:
    page = await read_children(reader, job, limit=_JOBS, after=after)
    return {
        "found": bool(page.items),
        "children": page.items,
        "next": job_link(job, view=view, after=page.next) if page.next else None,
        "json": link("/children", job=job),
    }
