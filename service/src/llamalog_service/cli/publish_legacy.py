"""`llamalog publish-legacy`: events for the rows that were there before events existed."""

from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llamalog_service.adoption.legacy_events.publish import PublishLegacyReport, Told
from llamalog_service.bootstrap.legacy_events import publish_legacy_events
from llamalog_service.cli.backfill.exit_codes import INTERRUPTED
from llamalog_service.cli.runtime import (
    TIMEOUT,
    console,
    error_console,
    print_error,
    print_json,
    read_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.styles import printable

UNTELLABLE: Final = 3
"""Some rows or overrides can't be told by any event."""

_NAMED_AT_MOST: Final = 20


def publish_legacy(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the report as one object.")] = False,
) -> None:
    """Tell the topic of entity events what was there before it: legacy rows, and overrides of backfills.

    Afterwards the topic is complete: a rebuild from it gives every row. The log itself does not change. To
    run it twice does no harm; interrupted, it goes on where it was. Ends with 3 if there are rows that no
    event can hold: they are named, and stay without one.
    """
    settings = read_settings()
    bar = Progress(
        TextColumn("publishing rows"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=error_console,
        disable=not error_console.is_terminal,
    )
    task = bar.add_task("rows", total=None)

    def show(told: Told) -> None:
        bar.update(task, completed=told.rows, total=told.total)

    try:
        with signals_as_interrupts(), bar:
            report = run(publish_legacy_events(settings, show, timeout=TIMEOUT))
    except KeyboardInterrupt:
        print_error("llamalog", "Stopped. What was published stays: the same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(report)
    else:
        for line in conclusions(report):
            console.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(UNTELLABLE if report.untellable else 0)


def conclusions(report: PublishLegacyReport) -> list[str]:
    """Sentences about what was published and what is left."""
    went_on = " It went on where it had been interrupted." if report.went_on else ""
    lines = [f"{report.rows:,} rows and {report.overrides:,} overrides were published.{went_on}"]
    if report.untellable:
        lines.append(
            f"{len(report.untellable):,} can't be told by any event and were not published; a rebuild "
            "refuses while they are in the table:"
        )
        lines += [f"  {one.id}: {printable(one.why)}" for one in report.untellable[:_NAMED_AT_MOST]]
        if len(report.untellable) > _NAMED_AT_MOST:
            lines.append(f"  and {len(report.untellable) - _NAMED_AT_MOST:,} more: --json names them all.")
    to_read = max(0, report.rows_left - len(report.untellable)) + report.overrides_left
    if to_read:
        lines.append(
            f"Of {report.rows_left:,} rows and {report.overrides_left:,} overrides the provenance consumer "
            "has not read yet that they are told; it marks them when it does (`llamalog consumer`)."
        )
    elif not report.untellable:
        lines.append("Every row of the log has an event.")
    return lines
