"""`/ui/jobs`: what triggered a job, and all that it led to."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.context import TheReader
from llamalog_service.http.problems import ProblemError
from llamalog_service.http.web.branches import arranged, names_in
from llamalog_service.http.web.form_parser import Asked, Tab
from llamalog_service.http.web.formatting import job_link, link, visible
from llamalog_service.http.web.pages import render
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.jobs import read_chain, read_children, read_tree
from llamalog_service.queries.lineages import job_depths
from llamalog_service.queries.paging import Cursor

router = APIRouter()

_FIELDS: Final = ("job", "view")
_VIEWS: Final = (("", "By job"), ("time", "By time"), ("next", "Next jobs only"))
_ROWS: Final = 200
_JOBS: Final = 100


@router.get("/ui/jobs")
async def job(request: Request, reader: TheReader) -> Response:
    """The chain upwards, and a piece of what is below: as a tree, by time, or the next jobs only."""
    asked = Asked(request.query_params, _FIELDS)
    after = asked.after()
    asked.check()
    named, view = asked.text("job"), asked.texts["view"]
    if named is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "No job was named. The address of one is /ui/jobs?job=…")
    chain = await read_chain(reader, named)
    below = await (_children if view == "next" else _tree)(reader, named, view, after)
    if after is None and chain.root is None and chain.origin is None and not below["found"]:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The log knows no job {visible(named)}: no row bears it, and none names it as its parent. It "
            "may be mistyped, or its first event has not been recorded yet.",
        )
    return render(
        request,
        "job.html",
        title=f"{visible(named)}, job",
        page="roots",
        job=named,
        chain=chain,
        view=view,
        first_piece=after is None,
        tabs=[[Tab(label, job_link(named, view=to), is_current=view == to) for to, label in _VIEWS]],
        # Its own rows tell when the root becomes known that all below it are waiting for.
        streams=[link("/logs/stream", root=chain.root, job=None if chain.root else named)],
        **below,
    )


async def _tree(reader: Reader, job: str, view: str, after: Cursor | None) -> Mapping[str, Any]:
    tree = await read_tree(reader, job, limit=_ROWS, after=after)
    top = job_depths(tree.parents).get(job, 0)
    return {
        "found": bool(tree.entries),
        "longer": tree.longer,
        "lines": arranged(tree, in_time=view == "time", top=top),
        "names": await names_in(reader, [entry.row for entry in tree.entries]),
        "next": job_link(job, view=view, after=tree.next) if tree.next else None,
        "json": link("/tree", job=job),
    }


async def _children(reader: Reader, job: str, view: str, after: Cursor | None) -> Mapping[str, Any]:
    page = await read_children(reader, job, limit=_JOBS, after=after)
    return {
        "found": bool(page.items),
        "children": page.items,
        "next": job_link(job, view=view, after=page.next) if page.next else None,
        "json": link("/children", job=job),
    }
