"""How a rebuild is told: a bar while it goes on, tables in the end."""

from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import structlog
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from llamalog_service.cli.runtime import console, error_console
from llamalog_service.rebuild.reading import Progress as Reached
from llamalog_service.rebuild.report import RebuildReport

_LINE_EVERY = 5.0
_log = structlog.get_logger("llamalog.rebuild")


class RebuildBar:
    """A bar with rate and time left on a terminal, a log line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TimeElapsedColumn(),
            console=error_console,
            disable=not error_console.is_terminal,
        )
        self._task = self._bar.add_task("looking", total=None, rate="")
        self._doing, self._began, self._first = "", monotonic(), 0
        self._line_at = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, reached: Reached) -> None:
        """Show what is done now, and how far it is."""
        now = monotonic()
        begins = reached.doing != self._doing
        if begins:
            self._doing, self._began, self._first = reached.doing, now, reached.done
            self._bar.reset(self._task, description=reached.doing, total=reached.total)
        rate = (reached.done - self._first) / max(now - self._began, 0.001)
        if error_console.is_terminal:
            told = f"{rate:,.0f}/s" if reached.total else ""
            self._bar.update(self._task, completed=reached.done, total=reached.total, rate=told)
        elif begins or now >= self._line_at:
            self._line_at = now + _LINE_EVERY
            far = {} if reached.total is None else {"done": reached.done, "total": reached.total}
            _log.info(reached.doing, **far)


def tell_report(report: RebuildReport, file: Path) -> None:
    """Print a report for people."""
    console.print(_summary(report))
    if not report.filled:
        console.print(_counts(report))
    for line in conclusions(report, file):
        console.print(line, markup=False, soft_wrap=True)


def conclusions(report: RebuildReport, file: Path) -> list[str]:
    """What a rebuild came to, in sentences."""
    found = report.differences
    lines: list[str] = []
    if report.contested:
        lines.append(
            f"{report.contested:,} ids were told with several contents; of {report.contested_kept_as_live:,} "
            "the live table keeps another than an empty one would get, which is no difference."
        )
    if found.corrected_meanwhile:
        lines.append(f"{found.corrected_meanwhile:,} roots were corrected by live traffic meanwhile.")
    if report.rows_as_they_stand or report.overrides_as_they_stand:
        lines.append(
            f"{report.rows_as_they_stand:,} rows and {report.overrides_as_they_stand:,} overrides have no "
            "event and were taken as they stand: of these a rebuild proves nothing."
        )
    if report.filled:
        lines.append(f"The live table was empty and holds {report.rebuilt.rows:,} rows now.")
    elif not found.rows and not report.overrides_differing:
        lines.append("Nothing differs: the live table is what its events make of it.")
    else:
        kinds = f"{found.missing:,} missing, {found.extra:,} extra, {found.different:,} different"
        lines.append(f"{found.rows:,} rows differ ({kinds}); {file} names each of them.")
        if found.by_column:
            columns = ", ".join(f"{name} {rows:,}" for name, rows in sorted(found.by_column.items()))
            lines.append(f"Columns that differ: {columns}.")
        if report.overrides_differing:
            lines.append(f"{report.overrides_differing:,} overrides are missing, or otherwise than told.")
        mended = report.mended is not None
        if mended and found.extra:
            lines.append(
                f"{found.extra:,} rows that nobody told were removed; the table removed_rows has them."
            )
        lines.append("All of it was mended." if mended else "Nothing was changed; --repair mends it.")
    if report.republished is not None:
        lines.append(f"{report.republished:,} rows were told to others again, as they stand.")
    return lines


def _summary(report: RebuildReport) -> Table:
    table = Table(title=f"Rebuilt from {report.topic}")
    table.add_column("")
    table.add_column("", justify="right")
    for name, number in (
        ("messages", report.messages),
        ("not valid", report.dead_letters),
        ("tombstones", report.tombstones),
        ("told again", report.repetitions),
        ("rows rebuilt", report.rebuilt.rows),
        ("rows in the live table", report.live.rows),
    ):
        table.add_row(name, f"{number:,}")
    table.add_row("checksum, rebuilt", report.rebuilt.checksum)
    table.add_row("checksum, live", report.live.checksum)
    table.add_row("seconds", f"{report.seconds:,.1f}")
    return table


def _counts(report: RebuildReport) -> Table:
    """Counts on both sides; of days only those that differ."""
    table = Table(title="Rows")
    for name in ("", "live", "rebuilt", "difference"):
        table.add_column(name, justify="right" if name else "left")
    live, rebuilt = report.live, report.rebuilt
    for title, one, other in (
        ("category", live.by_category, rebuilt.by_category),
        ("origin", live.by_origin, rebuilt.by_origin),
        ("day", live.by_day, rebuilt.by_day),
    ):
        for name in sorted(one.keys() | other.keys()):
            here, there = one.get(name, 0), other.get(name, 0)
            if title != "day" or here != there:
                difference = f"{here - there:+,}" if here != there else ""
                table.add_row(f"{title} {name}", f"{here:,}", f"{there:,}", difference)
    return table
