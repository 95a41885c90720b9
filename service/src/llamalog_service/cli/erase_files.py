"""`llamalog erase-files`: archives and files of differences without the data of erased persons."""

from pathlib import Path
from typing import Annotated

import typer

from llamalog_service.bootstrap.erased_files import erase_files as erase
from llamalog_service.cli.options import JsonReport
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import console, interruptible, print_json, read_settings, run


def erase_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Folders of archives, and files of differences.")
    ],
    as_json: JsonReport = False,
) -> None:
    """Rewrite archives and files of differences without the data of erased persons.

    A file in which something changes is replaced in one step, with a checksum of its own. After an
    interruption the same command continues. Exits with 1 and names the files if it could not reach all.
    """
    stopped = "Stopped. What was rewritten stays so: the same command continues."
    with interruptible(stopped), StepBar("llamalog.erase") as bar:
        report = run(erase(read_settings(), paths, bar.show))
    if as_json:
        print_json(report)
    else:
        lines = [
            f"{report.rewritten:,} of {report.read:,} files were rewritten, {report.changed:,} messages and "
            "rows in them changed.",
            *(f"Not reached: {file.path}: {file.reason}" for file in report.unreached),
        ]
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)
    if report.unreached:
        raise typer.Exit(1)
