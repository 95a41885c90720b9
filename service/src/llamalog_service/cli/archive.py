"""`llamalog archive`: entity events and overrides in files, in case Kafka loses them."""

from pathlib import Path
from typing import Annotated

import typer

from llamalog_service.bootstrap.rebuilds import archive_topics, check_archive
from llamalog_service.cli.options import JsonReport
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import console, interruptible, print_json, read_settings, run
from llamalog_service.rebuild.archive.archiver import ArchiveReport

Folder = Annotated[Path, typer.Argument(help="The archive's folder; created if missing.", file_okay=False)]


def archive(
    folder: Folder,
    check: Annotated[bool, typer.Option("--check", help="Verify every file instead, without Kafka.")] = False,
    as_json: JsonReport = False,
) -> None:
    """Write the messages that the archive lacks of entity events and overrides, as compressed lines of JSON.

    Run again, also after an interruption, it continues where it ended. `llamalog rebuild --from-file` reads
    the archive.
    """
    settings = read_settings()
    work = check_archive if check else archive_topics
    stopped = "Stopped. What was written is kept: the same command continues."
    with interruptible(stopped), StepBar("llamalog.rebuild") as bar:
        report = run(work(settings, folder, bar.show))
    if as_json:
        print_json(report)
        return
    if check:
        console.print(f"Every file of {folder} is whole.", markup=False, soft_wrap=True)
    else:
        console.print(f"{_messages(report):,} messages were archived.", markup=False, soft_wrap=True)
    for one in (report, report.overrides):
        if one is not None:
            held = sum(one.positions.values())
            reach = ", ".join(f"{partition}: {at:,}" for partition, at in one.positions.items())
            line = f"The archive holds {held:,} offsets of {one.topic} ({reach})."
            console.print(line, markup=False, soft_wrap=True)


def _messages(report: ArchiveReport) -> int:
    return report.messages + (report.overrides.messages if report.overrides is not None else 0)
