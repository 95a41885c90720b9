"""Lineages as trees on a terminal: a branch a job, what it said under its name."""

from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree as Drawn

from llamalog_service.cli.row_view import legend, said
from llamalog_service.queries.jobs import Tree
from llamalog_service.queries.lineages import Entry, JobNode
from llamalog_service.queries.timeline import Timeline
from llamalog_service.styles import printable

MAX_INDENTS = 12
"""Deeper jobs stand below each other and tell their depth: no terminal is wide enough for all."""

_CUT = "More jobs are above than are followed: the topmost ones here are not the real top."


def lineages(
    title: Text, found: Timeline | Tree, tops: Sequence[JobNode], *, things: str, with_jobs: bool
) -> Drawn:
    """What was found, below its title, its days and whatever it lacks.

    Args:
        things: what its entries are called.
    """
    days = _days_of(found.entries)
    title.append(f"\n{' to '.join(days)}, UTC   ", "dim").append_text(legend())
    if found.next is not None:
        shown = f"Only the oldest {len(found.entries):,} {things} are shown; --limit shows more."
        title.append(f"\n{shown}", "yellow")
    if found.longer:
        title.append(f"\n{_CUT}", "yellow")
    drawn = Drawn(title, guide_style="dim")
    draw_lineages(drawn, tops, with_date=len(days) > 1, with_jobs=with_jobs)
    return drawn


def draw_lineages(drawn: Drawn, tops: Sequence[JobNode], *, with_date: bool, with_jobs: bool) -> None:
    """Let trees of jobs grow from a drawn one.

    Args:
        with_date: False where the heading tells the day of all.
        with_jobs: whether each job's name is told; one without rows of its own among these has nothing else.
    """
    growing = [(drawn, top, 0) for top in reversed(tops)]
    while growing:
        branch, node, depth = growing.pop()
        grown = branch.add(_label(node, depth, with_date=with_date, with_jobs=with_jobs))
        onto = grown if depth < MAX_INDENTS else branch
        growing.extend((onto, child, depth + 1) for child in reversed(node.children))


def _days_of(entries: Sequence[Entry]) -> list[str]:
    """The first and the last day of some entries; one if it is the same."""
    times = [entry.row.created_at for entry in entries]
    return sorted({f"{time:%Y-%m-%d}" for time in (min(times), max(times))})


def _label(node: JobNode, depth: int, *, with_date: bool, with_jobs: bool) -> Text:
    label = Text(f"[{depth}] ", "dim") if depth > MAX_INDENTS else Text()
    if not node.entries:
        return label.append(f"{printable(node.job or '')}  (nothing of its own here)", "dim italic")
    lines = [said(entry.row, with_date=with_date) for entry in node.entries]
    if node.job is None:
        lines[0].append("  outside of any job", "dim")
    elif with_jobs:
        lines[0].append(f"  {printable(node.job)}", "dim")
    return label.append_text(Text("\n").join(lines))
