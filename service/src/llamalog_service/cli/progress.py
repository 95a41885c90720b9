"""The progress bar of commands: on standard error, hidden where that is no terminal."""

from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llamalog_service.cli.runtime import error_console

LOG_SECONDS: Final = 5.0
"""Seconds between two lines of the log where no bar is drawn."""


def progress_bar(details: str = "", *, counted: bool = True) -> Progress:
    """A bar with a description, the time, and details.

    Args:
        details: a format over `task`, shown behind the bar: "{task.fields[sent]} sent".
        counted: show how many of the total are done.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *([MofNCompleteColumn()] if counted else []),
        *([TextColumn(details, markup=False)] if details else []),
        TimeElapsedColumn(),
        console=error_console,
        disable=not error_console.is_terminal,
    )
