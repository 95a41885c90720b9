"""`llamalog timeline`: how an album got into the database, as the tree of its jobs."""

from uuid import UUID

import typer
from rich.text import Text
from rich.tree import Tree

from llamalog_service.cli.running import out, read_settings, run, say_error
from llamalog_service.looks import LOOKS, look_of, printable
from llamalog_service.queries.lineage_tree import JobNode, lineage_trees
from llamalog_service.queries.timeline import Entry, Timeline
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
        return await observation.timeline(album)


def timeline_tree(timeline: Timeline) -> Tree:
    """A timeline as a tree of its jobs; what a job said stands under its name."""
    heading = Text.assemble("The timeline of ", (printable(timeline.title or "an album"), "bold"))
    heading.append(f"  {timeline.album_id}", "dim")
    heading.append("\n")
    for category, (icon, colour) in LOOKS.items():
        heading.append(f"{icon} {category.lower()}  ", colour)
    heading.append("healed", "bold black on green")
    heading.append(" root corrected after the row was written")
    if timeline.truncated:
        heading.append(f"\nOnly the oldest {len(timeline.entries):,} entries are shown.", "yellow")
    tree = Tree(heading, guide_style="dim")
    growing = [(tree, top) for top in reversed(lineage_trees(timeline))]
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
    icon, colour = look_of(entry.category)
    line = Text.assemble((f"{icon} ", f"bold {colour}"), (f"{entry.at:%H:%M:%S.%f}"[:-3], "dim"), "  ")
    line.append(printable(entry.operation), colour)
    if entry.name:
        line.append(f"  {printable(entry.name)}", "bold")
    if entry.error_code:
        line.append(f"  {printable(entry.error_code)}", "red")
    if entry.origin is None or entry.root_job is None:
        line.append(
            f"  root unknown: {'not looked at yet' if entry.origin is None else entry.origin}", "yellow"
        )
    if entry.parent_conflict:
        line.append("  names another parent", "yellow")
    if entry.declaration_conflict:
        line.append(f"  declares another root: {printable(entry.declared_root or '')}", "yellow")
    if entry.healed:
        line.append("  ")
        line.append("healed", "bold black on green")
    return line
