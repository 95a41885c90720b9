"""`llamalog tree` and `llamalog chain`: what a job led to, and what led to it."""

from typing import Annotated

import typer
from msgspec import Struct
from rich.text import Text
from rich.tree import Tree as Drawn

from llamalog_service.bootstrap.following import open_log
from llamalog_service.cli.filters import Job, Json, Limit
from llamalog_service.cli.lineage_view import draw_lineages, lineages
from llamalog_service.cli.pieces import whole_tree
from llamalog_service.cli.row_view import UNKNOWN_ORIGIN, at
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.jobs import Chain, JobSummary, Tree, read_chain
from llamalog_service.queries.lineages import JobNode, lineage_trees
from llamalog_service.settings import DatabaseSettings
from llamalog_service.styles import printable, style_of

Below = Annotated[bool, typer.Option("--below", help="Also everything that it started, directly or not.")]


class UnknownJobError(LlamalogError):
    """No row bears or names that job."""

    def __init__(self, job: str) -> None:
        super().__init__(
            f"The log knows no job {printable(job)}: no row bears or names it. Check its name; its event may "
            "not be read yet."
        )


class ChainAndBelow(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of ``chain --below``."""

    chain: Chain
    below: Tree


def tree(job: Job, limit: Limit = 1000, as_json: Json = False) -> None:
    """Show everything that a job led to, itself included, with true depths."""
    found = run(_read_tree(read_database_settings(), job, limit))
    if as_json:
        print_json(found)
    else:
        console.print(job_tree(found))


def chain(job: Job, below: Below = False, limit: Limit = 1000, as_json: Json = False) -> None:
    """Show what triggered a job: its parent, that one's parent, up to the topmost job named.

    With --below also what it started itself; --limit bounds those rows.
    """
    found, started = run(_read_chain(read_database_settings(), job, limit if below else None))
    if as_json:
        print_json(found if started is None else ChainAndBelow(chain=found, below=started))
    else:
        console.print(chain_tree(found, started))


async def _read_tree(settings: DatabaseSettings, job: str, limit: int) -> Tree:
    async with open_log(settings) as reader:
        found = await whole_tree(reader, job, limit=limit)
    if not found.entries:
        raise UnknownJobError(job)
    return found


async def _read_chain(settings: DatabaseSettings, job: str, limit: int | None) -> tuple[Chain, Tree | None]:
    async with open_log(settings) as reader:
        found = await read_chain(reader, job)
        own = found.links[-1]
        if len(found.links) == 1 and not own.seen and not own.children:
            raise UnknownJobError(job)
        return found, None if limit is None else await whole_tree(reader, job, limit=limit)


def job_tree(tree: Tree) -> Drawn:
    """What a job led to."""
    title = Text.assemble("What ", (printable(tree.job), "bold"), " led to")
    return lineages(title, tree, _tops(tree), things="rows", with_jobs=True)


def chain_tree(chain: Chain, below: Tree | None) -> Drawn:
    """The jobs from the topmost one down to the one asked for, and perhaps what that one started."""
    heading = Text.assemble("What triggered ", (printable(chain.job), "bold"), "\n").append_text(_root(chain))
    if below is not None and below.next is not None:
        heading.append(
            f"\nBelow it only the oldest {len(below.entries):,} rows are shown; --limit shows more."
        )
    drawn = branch = Drawn(heading, guide_style="dim")
    if chain.longer:
        branch.add(Text("… and more jobs above", "dim italic"))
    for link in chain.links:
        branch = branch.add(_link(link, is_asked_for=link.job == chain.job))
    if below is not None:
        started = [node for top in _tops(below) for node in (top.children if top.job == chain.job else [top])]
        draw_lineages(branch, started, with_date=True, with_jobs=True)
    return drawn


def _tops(tree: Tree) -> list[JobNode]:
    """The job itself, without those above it; of a cycle all its members."""
    return lineage_trees(tree.entries, {**tree.parents, tree.job: None})


def _root(chain: Chain) -> Text:
    if chain.cycle:
        ring = " → ".join(map(printable, (*chain.cycle, chain.cycle[0])))
        return Text(f"{UNKNOWN_ORIGIN}: the parents form a cycle, {ring}", "yellow")
    if chain.root is not None:
        itself = " itself" if chain.root == chain.job else ""
        return Text.assemble(
            "Its root is ", (printable(chain.root), "bold"), f"{itself} ", (f"({chain.origin})", "dim")
        )
    if chain.origin is None:
        return Text("No event bears it; all that is known is its name.", "yellow")
    return Text(f"{UNKNOWN_ORIGIN}: {chain.origin}", "yellow")


def _link(link: JobSummary, *, is_asked_for: bool) -> Text:
    line = Text(printable(link.job or ""), "bold reverse" if is_asked_for else "bold")
    if link.first_at is None or link.category is None:
        return line.append("  (never seen)", "dim italic")
    icon, colour = style_of(link.category)
    line.append(f"  {icon} {at(link.first_at)}", f"not bold not reverse {colour}")
    told = Text.assemble("  ", (printable(link.operation or ""), colour))
    if link.name:
        told.append(f"  {printable(link.name)}", "bold")
    rows = "1 row" if link.rows == 1 else f"{link.rows:,} rows"
    told.append(f"  {rows}, {link.children:,} below", "dim")
    if link.failed:
        told.append(f", {link.failed:,} failed", "red")
    return Text().append_text(line).append_text(told)
