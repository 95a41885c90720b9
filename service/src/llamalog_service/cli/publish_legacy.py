"""`llamalog publish-legacy`: events for rows that are older than the topic of entity events."""

from typing import Final

import typer

from llamalog_service.adoption.legacy_events import PublishLegacyReport, PublishProgress
from llamalog_service.bootstrap.adoption import publish_legacy_events
from llamalog_service.cli.options import JsonReport
from llamalog_service.cli.progress import progress_bar
from llamalog_service.cli.runtime import TIMEOUT, console, interruptible, print_json, read_settings, run
from llamalog_service.telemetry.logging import printable

UNPUBLISHABLE: Final = 3
"""The exit code where no event can hold some rows."""

_MAX_NAMED: Final = 20


def publish_legacy(
    as_json: JsonReport = False,
) -> None:
    """Publish legacy rows to the topic of entity events.

    Afterwards the topic is complete: a rebuild from it gives every row. Overrides have a topic of their own,
    to which the migration consumer publishes those of backfills. The log itself does not change. Repeating
    it does no harm; interrupted, the same command resumes. Ends with 3 if there are rows that no event can
    hold: they are named, and stay without one.
    """
    settings = read_settings()
    bar = progress_bar(remaining=True)
    task = bar.add_task("publishing rows", total=None)

    def show(progress: PublishProgress) -> None:
        bar.update(task, completed=progress.rows, total=progress.total)

    with interruptible("Stopped. What was published stays: the same command resumes."), bar:
        report = run(publish_legacy_events(settings, show, timeout=TIMEOUT))
    if as_json:
        print_json(report)
    else:
        for line in conclusions(report):
            console.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(UNPUBLISHABLE if report.unpublishable else 0)


def conclusions(report: PublishLegacyReport) -> list[str]:
    """Sentences about what was published and what is left."""
    resumed = " It resumed where it had been interrupted." if report.resumed else ""
    lines = [f"{report.rows:,} rows were published.{resumed}"]
    if report.unpublishable:
        lines.append(
            f"{len(report.unpublishable):,} fit no event and were not published; a rebuild "
            "refuses while they are in the table:"
        )
        lines += [f"  {one.id}: {printable(one.why)}" for one in report.unpublishable[:_MAX_NAMED]]
        if len(report.unpublishable) > _MAX_NAMED:
            lines.append(f"  and {len(report.unpublishable) - _MAX_NAMED:,} more: --json names them all.")
    to_read = max(0, report.rows_left - len(report.unpublishable))
    if to_read:
        lines.append(
            f"The provenance consumer has not read the events of {report.rows_left:,} rows yet; it marks "
            "them when it does (`llamalog consumer`)."
        )
    elif not report.unpublishable:
        lines.append("Every row of the log has an event.")
    if report.overrides_left:
        lines.append(
            f"{report.overrides_left:,} overrides are not read from their topic yet: `llamalog overrides "
            "publish` publishes those that it lacks."
        )
    return lines
