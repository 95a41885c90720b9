"""`llamalog timeline`, `tree` and `chain`: the lineages of an entity or a job."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar

import typer
from msgspec import Struct
from msgspec.structs import replace
from rich.text import Text
from rich.tree import Tree as Drawn

from llamalog_service.bootstrap import open_log
from llamalog_service.cli.options import AsOf, Entity, EntityId, Job, Json, Limit
from llamalog_service.cli.rendering import (
    UNKNOWN_ORIGIN,
    draw_lineages,
    format_time,
    lineage_view,
    operation_text,
    ring_of,
    shown,
)
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import Chain, JobSummary, Tree, read_chain, read_tree
from llamalog_service.queries.lineages import JobNode, is_cut, lineage_trees
from llamalog_service.queries.paging import Cursor
from llamalog_service.queries.timeline import Timeline, read_timeline
from llamalog_service.settings import DatabaseSettings
from llamalog_service.telemetry.logging import style_of

Orphans = Annotated[
    bool, typer.Option("--orphans/--no-orphans", help="Also rows that name it and have no known root.")
]

Jobs = Annotated[
    bool, typer.Option("--jobs", help="Also the names of the jobs, which `tree` and `chain` take.")
]


class UnknownEntityError(LlamalogError):
    """The log has no row about that entity."""

    def __init__(self, entity: EntityRef) -> None:
        what = entity.type.lower()
        super().__init__(
            f"The log knows no {what} {entity.id}. Check the id, and what it is the id of; its event may not "
            "be read yet."
        )


def timeline(
    entity_type: Entity,
    entity_id: EntityId,
    *,
    orphans: Orphans = True,
    jobs: Jobs = False,
    limit: Limit = 1000,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show how an album, an artist or a track got into the database, and what happened to it afterwards.

    With --as-of as it was believed then: roots and parents as they were, rows recorded later left out.
    """
    entity = EntityRef(type=entity_type, id=entity_id)
    settings, brief = read_database_settings(), not as_json
    found = run(_read_timeline(settings, entity, orphans=orphans, limit=limit, brief=brief, as_of=as_of))
    if as_json:
        print_json(found)
    else:
        console.print(timeline_tree(found, with_jobs=jobs))


async def _read_timeline(
    settings: DatabaseSettings,
    entity: EntityRef,
    *,
    orphans: bool,
    limit: int,
    brief: bool,
    as_of: datetime | None,
) -> Timeline:
    async with open_log(settings) as reader:
        found = await whole_timeline(
            reader, entity, include_orphans=orphans, limit=limit, brief=brief, as_of=as_of
        )
    if not found.entries:
        raise UnknownEntityError(entity)
    return found


def timeline_tree(timeline: Timeline, *, with_jobs: bool = False) -> Drawn:
    """A timeline as the trees of its jobs, optionally with their names."""
    name = shown(timeline.name or f"the {timeline.entity.type.lower()}")
    title = Text.assemble(
        "The timeline of ", (name, "bold"), (f"  {timeline.entity.type} {timeline.entity.id}", "dim")
    )
    tops = lineage_trees(timeline.entries, timeline.parents)
    return lineage_view(title, timeline, tops, things="entries", with_jobs=with_jobs)


Below = Annotated[bool, typer.Option("--below", help="Also everything that it started, directly or not.")]


class UnknownJobError(LlamalogError):
    """No row has that job as its job or its parent."""

    def __init__(self, job: str) -> None:
        super().__init__(
            f"The log knows no job {shown(job)}: no row bears or names it. Check its name; its event may "
            "not be read yet."
        )


class ChainAndBelow(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of ``chain --below``."""

    chain: Chain
    below: Tree


def tree(job: Job, limit: Limit = 1000, as_of: AsOf = None, as_json: Json = False) -> None:
    """Show everything that a job led to, itself included, with true depths.

    With --as-of as it was believed then: roots and parents as they were, rows recorded later left out.
    """
    found = run(_read_tree(read_database_settings(), job, limit, brief=not as_json, as_of=as_of))
    if as_json:
        print_json(found)
    else:
        console.print(job_tree(found))


def chain(job: Job, below: Below = False, limit: Limit = 1000, as_json: Json = False) -> None:
    """Show what triggered a job: its parent, that one's parent, up to the topmost job named.

    With --below also what it started itself; --limit bounds those rows.
    """
    rows = limit if below else None
    found, started = run(_read_chain(read_database_settings(), job, rows, brief=not as_json))
    if as_json:
        print_json(found if started is None else ChainAndBelow(chain=found, below=started))
    else:
        console.print(chain_tree(found, started))


async def _read_tree(
    settings: DatabaseSettings, job: str, limit: int, *, brief: bool, as_of: datetime | None
) -> Tree:
    async with open_log(settings) as reader:
        found = await whole_tree(reader, job, limit=limit, brief=brief, as_of=as_of)
    if not found.entries:
        raise UnknownJobError(job)
    return found


async def _read_chain(
    settings: DatabaseSettings, job: str, limit: int | None, *, brief: bool
) -> tuple[Chain, Tree | None]:
    async with open_log(settings) as reader:
        found = await read_chain(reader, job)
        own = found.links[-1]
        if len(found.links) == 1 and not own.seen and not own.children:
            raise UnknownJobError(job)
        return found, None if limit is None else await whole_tree(reader, job, limit=limit, brief=brief)


def job_tree(tree: Tree) -> Drawn:
    """A job and everything that it led to, as a tree."""
    title = Text.assemble("What ", (shown(tree.job), "bold"), " led to")
    return lineage_view(title, tree, _tops(tree), things="rows", with_jobs=True)


def chain_tree(chain: Chain, below: Tree | None) -> Drawn:
    """The jobs from the topmost one down to the requested one, and below it if given."""
    heading = Text.assemble("What triggered ", (shown(chain.job), "bold"), "\n").append_text(_root(chain))
    if below is not None and below.next is not None:
        heading.append(
            f"\nBelow it only the oldest {len(below.entries):,} rows are shown; --limit shows more."
        )
    drawn = branch = Drawn(heading, guide_style="dim")
    if chain.longer:
        branch.add(Text("… and more jobs above", "dim italic"))
    for link in chain.links:
        branch = branch.add(_link(link, is_requested=link.job == chain.job))
    if below is not None:
        started = [node for top in _tops(below) for node in (top.children if top.job == chain.job else [top])]
        draw_lineages(branch, started, with_date=True, with_jobs=True)
    return drawn


def _tops(tree: Tree) -> list[JobNode]:
    """The job itself, without those above it; of a cycle all its members."""
    return lineage_trees(tree.entries, {**tree.parents, tree.job: None})


def _root(chain: Chain) -> Text:
    if chain.cycle:
        ring = ring_of(chain.cycle)
        return Text(f"{UNKNOWN_ORIGIN}: the parents form a cycle, {ring}", "yellow")
    if chain.root is not None:
        itself = " itself" if chain.root == chain.job else ""
        return Text.assemble(
            "Its root is ", (shown(chain.root), "bold"), f"{itself} ", (f"({chain.origin})", "dim")
        )
    if chain.origin is None:
        return Text("No event bears it; all that is known is its name.", "yellow")
    return Text(f"{UNKNOWN_ORIGIN}: {chain.origin}", "yellow")


def _link(link: JobSummary, *, is_requested: bool) -> Text:
    line = Text(shown(link.job or ""), "bold reverse" if is_requested else "bold")
    if link.first_at is None or link.category is None:
        return line.append("  (never seen)", "dim italic")
    icon, colour = style_of(link.category)
    line.append(f"  {icon} {format_time(link.first_at)}", f"not bold not reverse {colour}")
    details = Text("  ").append_text(operation_text(link.operation or "", colour, retracted=link.retracted))
    if link.name:
        details.append(f"  {shown(link.name)}", "bold")
    rows = "1 row" if link.rows == 1 else f"{link.rows:,} rows"
    details.append(f"  {rows}, {link.children:,} below", "dim")
    if link.failed:
        details.append(f", {link.failed:,} failed", "red")
    return Text().append_text(line).append_text(details)


Lineage = TypeVar("Lineage", Timeline, Tree)


async def whole_timeline(
    reader: Reader,
    entity: EntityRef,
    *,
    include_orphans: bool,
    limit: int,
    brief: bool = False,
    as_of: datetime | None = None,
) -> Timeline:
    """A timeline of up to so many entries, read page by page; `next` is set if there are more."""
    read = partial(read_timeline, reader, entity, include_orphans=include_orphans, brief=brief, as_of=as_of)
    return await _joined(read, limit)


async def whole_tree(
    reader: Reader, job: str, *, limit: int, brief: bool = False, as_of: datetime | None = None
) -> Tree:
    """Everything below a job, up to so many entries, read by page; `next` is set if there are more."""
    return await _joined(partial(read_tree, reader, job, brief=brief, as_of=as_of), limit)


async def _joined(read: Callable[..., Awaitable[Lineage]], limit: int) -> Lineage:
    found = await read(limit=limit)
    entries, parents = list(found.entries), dict(found.parents)
    while found.next is not None and len(entries) < limit:
        found = await read(limit=limit - len(entries), after=Cursor.parse(found.next))
        entries += found.entries
        parents |= found.parents
    return replace(found, entries=tuple(entries), parents=parents, longer=is_cut(parents))
