"""Rows and lineages of the log rendered for a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.text import Text
from rich.tree import Tree as Drawn

from llamalog_schemas.events import Status
from llamalog_service.queries.jobs import Tree
from llamalog_service.queries.lineages import JobNode, LineageEntry
from llamalog_service.queries.rows import LogRow, cut
from llamalog_service.queries.timeline import Timeline
from llamalog_service.telemetry.logging import STYLES, printable, style_of

UNKNOWN_ORIGIN: Final = "Origin unknown"
_AS_EXPECTED: Final = frozenset({Status.SUCCESS, Status.COMPLETED})
_MAX_MEMBERS: Final = 12
_MAX_SHOWN: Final = 200
"""Characters of a value on a line."""


def format_time(moment: datetime, *, with_date: bool = True) -> str:
    """A time to the millisecond, in UTC."""
    form = "%Y-%m-%d %H:%M:%S.%f" if with_date else "%H:%M:%S.%f"
    return f"{moment.astimezone(UTC):{form}}"[:-3]


def shown(text: str) -> str:
    """A printable text of bounded length."""
    return printable(cut(text, _MAX_SHOWN))


NO_PRODUCER: Final = "legacy row, no producer"
NOT_KEPT: Final = "not kept: recorded before producers were"


def ring_of(members: Sequence[str]) -> str:
    """The jobs of a cycle, and the first again; of a long one the first jobs."""
    named = [*map(shown, members[:_MAX_MEMBERS])]
    if len(members) > len(named):
        named.append(f"… {len(members) - len(named):,} more")
    return " → ".join((*named, shown(members[0])))


def legend() -> Text:
    """The legend of icons and colours."""
    text = Text()
    for category, (icon, colour) in STYLES.items():
        text.append(f"{icon} {category.lower()}  ", colour)
    text.append("root corrected", "bold black on green")
    return text.append(" later")


def row_in_lineage(row: LogRow, *, with_date: bool) -> Text:
    """A row in short, as a line of its job in a tree."""
    icon, colour = style_of(row.category)
    line = Text.assemble(
        (f"{icon} ", f"bold {colour}"), (format_time(row.created_at, with_date=with_date), "dim"), "  "
    )
    line.append_text(operation_text(row.operation, colour, retracted=row.retracted))
    return _with_findings(_with_outcome(line, row), row, with_root=False)


def row_line(row: LogRow) -> Text:
    """A row by itself, with its entity, its job and its root."""
    icon, colour = style_of(row.category)
    line = Text.assemble(
        (format_time(row.created_at), "dim"), "  ", (f"{icon} {shown(row.category):9}", colour), " "
    )
    line.append_text(operation_text(row.operation, retracted=row.retracted))
    line = _with_outcome(line, row)
    if row.error_message:
        line.append(f"  {shown(row.error_message)}", "red")
    if row.entity_type or row.entity_id:
        line.append(f"  {shown(row.entity_type or '?')} {row.entity_id or '(no id)'}", "dim")
    if row.job_id is not None:
        line.append("  job ", "dim").append(shown(row.job_id))
    line = _with_findings(line, row, with_root=True)
    if row.producer is not None:
        return line.append(f"  by {shown(row.producer)}", "dim")
    return line.append(f"  {NO_PRODUCER}", "dim") if row.is_legacy else line


def operation_text(operation: str, colour: str = "", *, retracted: bool) -> Text:
    """The operation of an event, struck through if that was taken back, which is also said."""
    if not retracted:
        return Text(shown(operation), colour)
    return Text.assemble((shown(operation), f"strike {colour}"), "  ", ("retracted", "bold reverse"))


def _with_outcome(line: Text, row: LogRow) -> Text:
    if row.name:
        line.append(f"  {shown(row.name)}", "bold")
    if row.status not in _AS_EXPECTED:
        line.append(f"  {shown(row.status)}", "red" if row.status == Status.FAILED else "yellow")
    before, after = row.data_quality_before, row.data_quality_after
    if before and after and before != after:
        line.append(f"  quality {shown(before)} → {shown(after)}", "dim")
    if row.error_code:
        line.append(f"  {shown(row.error_code)}", "red")
    return line


def _with_findings(line: Text, row: LogRow, *, with_root: bool) -> Text:
    """Append what other rows imply for the row: its root, conflicts, corrections."""
    if row.root_job_id is None:
        line.append("  ")
        line.append(f"{UNKNOWN_ORIGIN}: {row.origin or 'not looked at yet'}", "yellow")
    elif with_root:
        line.append("  root ", "dim")
        line.append("itself" if row.root_job_id == row.job_id else shown(row.root_job_id))
    if row.parent_conflict:
        line.append(f"  names another parent: {shown(row.parent_job_id or '')}", "yellow")
    if row.declaration_conflict:
        line.append(f"  declares another root: {shown(row.declared_root_job_id or '')}", "yellow")
    if row.is_corrected:
        line.append("  ")
        line.append("root corrected", "bold black on green")
    return line


MAX_INDENTS = 12
"""Deeper jobs are not indented further, but labelled with their depth: a terminal is not wide enough."""

_CUT = "More jobs are above than are followed: the topmost ones here are not the real top."


def lineage_view(
    title: Text, found: Timeline | Tree, tops: Sequence[JobNode], *, things: str, with_jobs: bool
) -> Drawn:
    """A lineage with its title, its days, and what is missing from it.

    Args:
        things: the word for its entries.
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
    """Append trees of jobs to a drawn tree.

    Args:
        with_date: False if the heading has the day of all.
        with_jobs: append each job's name; a job without rows of its own is labelled with it in any case.
    """
    pending = [(drawn, top, 0) for top in reversed(tops)]
    while pending:
        branch, node, depth = pending.pop()
        added = branch.add(_label(node, depth, with_date=with_date, with_jobs=with_jobs))
        onto = added if depth < MAX_INDENTS else branch
        pending.extend((onto, child, depth + 1) for child in reversed(node.children))


def _days_of(entries: Sequence[LineageEntry]) -> list[str]:
    """The first and the last day of some entries; one if it is the same."""
    times = [entry.row.created_at for entry in entries]
    return sorted({f"{time:%Y-%m-%d}" for time in (min(times), max(times))})


def _label(node: JobNode, depth: int, *, with_date: bool, with_jobs: bool) -> Text:
    label = Text(f"[{depth}] ", "dim") if depth > MAX_INDENTS else Text()
    if not node.entries:
        return label.append(f"{shown(node.job or '')}  (nothing of its own here)", "dim italic")
    lines = [row_in_lineage(entry.row, with_date=with_date) for entry in node.entries]
    if node.job is None:
        lines[0].append("  outside of any job", "dim")
    elif with_jobs:
        lines[0].append(f"  {shown(node.job)}", "dim")
    return label.append_text(Text("\n").join(lines))
