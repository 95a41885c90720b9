"""Rows of the log as lines, for people; the same words in timelines, trees and listings."""

from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from llamalog_schemas.events import Status
from llamalog_service.queries.rows import LogRow
from llamalog_service.styles import STYLES, printable, style_of

UNKNOWN_ORIGIN: Final = "Origin unknown"
_AS_EXPECTED: Final = frozenset({Status.SUCCESS, Status.COMPLETED})
_LONGEST_ERROR: Final = 300


def at(moment: datetime, *, with_date: bool = True) -> str:
    """To the millisecond, in UTC."""
    form = "%Y-%m-%d %H:%M:%S.%f" if with_date else "%H:%M:%S.%f"
    return f"{moment.astimezone(UTC):{form}}"[:-3]


def legend() -> Text:
    """What the icons and colours mean."""
    text = Text()
    for category, (icon, colour) in STYLES.items():
        text.append(f"{icon} {category.lower()}  ", colour)
    text.append("healed", "bold black on green")
    return text.append(" root corrected later")


def said(row: LogRow, *, with_date: bool) -> Text:
    """What a row says, in short, as it stands in a tree of jobs: these tell whose it is."""
    icon, colour = style_of(row.category)
    line = Text.assemble(
        (f"{icon} ", f"bold {colour}"), (at(row.created_at, with_date=with_date), "dim"), "  "
    )
    line.append(printable(row.operation), colour)
    return _with_findings(_with_outcome(line, row), row, tells_root=False)


def listed(row: LogRow) -> Text:
    """A row by itself: also about what it is, of which job, and below which root."""
    icon, colour = style_of(row.category)
    line = Text.assemble(
        (at(row.created_at), "dim"), "  ", (f"{icon} {printable(row.category):9}", colour), " "
    )
    line.append(printable(row.operation))
    line = _with_outcome(line, row)
    if row.error_message:
        line.append(f"  {printable(row.error_message[:_LONGEST_ERROR])}", "red")
    if row.entity_type or row.entity_id:
        line.append(f"  {printable(row.entity_type or '?')} {row.entity_id or '(no id)'}", "dim")
    if row.job_id is not None:
        line.append("  job ", "dim").append(printable(row.job_id))
    return _with_findings(line, row, tells_root=True)


def _with_outcome(line: Text, row: LogRow) -> Text:
    if row.name:
        line.append(f"  {printable(row.name)}", "bold")
    if row.status not in _AS_EXPECTED:
        line.append(f"  {printable(row.status)}", "red" if row.status == Status.FAILED else "yellow")
    before, after = row.data_quality_before, row.data_quality_after
    if before and after and before != after:
        line.append(f"  quality {printable(before)} → {printable(after)}", "dim")
    if row.error_code:
        line.append(f"  {printable(row.error_code)}", "red")
    return line


def _with_findings(line: Text, row: LogRow, *, tells_root: bool) -> Text:
    """What follows for the row from other rows."""
    if row.root_job_id is None:
        line.append("  ")
        line.append(f"{UNKNOWN_ORIGIN}: {row.origin or 'not looked at yet'}", "yellow")
    elif tells_root:
        line.append("  root ", "dim")
        line.append("itself" if row.root_job_id == row.job_id else printable(row.root_job_id))
    if row.parent_conflict:
        line.append(f"  names another parent: {printable(row.parent_job_id or '')}", "yellow")
    if row.declaration_conflict:
        line.append(f"  declares another root: {printable(row.declared_root_job_id or '')}", "yellow")
    if row.is_corrected:
        line.append("  ")
        line.append("healed", "bold black on green")
    return line
