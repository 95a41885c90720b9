"""Progress of commands on standard error: a bar on a terminal, log lines elsewhere."""

from time import monotonic
from types import TracebackType
from typing import Final, Self

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from llamalog_service.cli.runtime import error_console

_LOG_SECONDS: Final = 5.0


def progress_bar(
    details: str = "", *, counted: bool = True, remaining: bool = False, console: Console = error_console
) -> Progress:
    """A bar with a description and the time, hidden where the console is no terminal.

    Args:
        details: a format over `task`, shown behind the bar: "{task.fields[sent]} sent".
        counted: show how many of the total are done.
        remaining: show the estimated time that is left, too.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *([MofNCompleteColumn()] if counted else []),
        *([TextColumn(details, markup=False)] if details else []),
        *([TimeRemainingColumn()] if remaining else []),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


class StepBar:
    """Progress of work in steps: a bar with rate and remaining time, else a log line every few seconds.

    Args:
        logger: the name of the logger for the lines.
    """

    def __init__(self, logger: str) -> None:
        self._log = structlog.get_logger(logger)
        self._bar = progress_bar("{task.fields[rate]}", remaining=True)
        self._task = self._bar.add_task("starting", total=None, rate="")
        self._step, self._is_complete = "", False
        self._began, self._first, self._line_at = monotonic(), 0, 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, progress: tuple[str, int, int | None]) -> None:
        """Show a step, how many are done, and the total, if known; a new step starts the bar again."""
        step, done, total = progress
        now = monotonic()
        begins, completes = step != self._step, done == total and not self._is_complete
        if begins:
            self._step, self._began, self._first = step, now, done
            self._bar.reset(self._task, description=step, total=total)
        self._is_complete = done == total
        if error_console.is_terminal:
            rate = (done - self._first) / max(now - self._began, 0.001)
            self._bar.update(self._task, completed=done, total=total, rate=f"{rate:,.0f}/s" if total else "")
        elif begins or completes or now >= self._line_at:
            self._line_at = now + _LOG_SECONDS
            self._log.info(step, **({} if total is None else {"done": done, "total": total}))
