"""`llamalog timeline`: how an album got into the database, as the tree of its jobs."""

from uuid import UUID

import typer
from rich.text import Text
from rich.tree import Tree

from llamalog_schemas.events import EntityType
from llamalog_service.cli.running import out, read_settings, run, say_error
from llamalog_service.looks import LOOKS, look_of, printable
from llamalog_service.queries.lineage_tree import JobNode, lineage_trees
from llamalog_service.queries.lineages import Entry
from llamalog_service.queries.timeline import EntityRef, Timeline
from llamalog_service.settings import Settings
from llamalog_service.wiring import open_observation


def timeline(album: UUID) -> None:
    """Show how an album got into the database, and what happened to it afterwards."""
    found = run(_read(read_settings(), album))
    if not found.entries:
        say_error("llamalog", f"The log knows no album {album}. Check the id; its event may not be read yet.")
        raise typer.Exit(1)
    out.print(timeline_tree(found))


async def _read(settings: Settings, album: UUID) -> Timeline:
    async with open_observation(settings) as observation:
        return await observation.timeline(EntityRef(type=EntityType.ALBUM, id=album))


def timeline_tree(timeline: Timeline) -> Tree:
    """A timeline as a tree of its jobs; what a job said stands under its name."""
    heading = Text.assemble("The timeline of ", (printable(timeline.name or "an album"), "bold"))
    heading.append(f"  {timeline.entity.id}", "dim")
    heading.append("\n")
    for category, (icon, colour) in LOOKS.items():
        heading.append(f"{icon} {category.lower()}  ", colour)
    heading.append("healed", "bold black on green")
    heading.append(" root corrected after the row was written")
    if timeline.next is not None:
        heading.append(f"\nOnly the oldest {len(timeline.entries):,} entries are shown.", "yellow")
    tree = Tree(heading, guide_style="dim")
    growing = [(tree, top) for top in reversed(lineage_trees(timeline.entries, timeline.parents))]
    while growing:
        branch, node = growing.pop()
        grown = branch.add(_said(node))
        growing.extend((grown, child) for child in reversed(node.children))
    return tree


def _said(node: JobNode) -> Text:
    if not node.entries:
        return Text(f"{printable(node.job or '')}  (never seen)", "dim italic")
    lines = [_line(entry) for entry in node.entries]
    if node.job is None:
        lines[0].append("  outside of any job", "dim")
    return Text("\n").join(lines)


def _line(entry: Entry) -> Text:
    row = entry.row
    icon, colour = look_of(row.category)
    line = Text.assemble((f"{icon} ", f"bold {colour}"), (f"{row.created_at:%H:%M:%S.%f}"[:-3], "dim"), "  ")
    line.append(printable(row.operation), colour)
    if row.name:
        line.append(f"  {printable(row.name)}", "bold")
    if row.error_code:
        line.append(f"  {printable(row.error_code)}", "red")
    if row.origin is None or row.root_job_id is None:
        line.append(f"  root unknown: {'not looked at yet' if row.origin is None else row.origin}", "yellow")
    if row.parent_conflict:
        line.append("  names another parent", "yellow")
    if row.declaration_conflict:
        line.append(f"  declares another root: {printable(row.declared_root_job_id or '')}", "yellow")
    if row.healed:
        line.append("  ")
        line.append("healed", "bold black on green")
    return line
