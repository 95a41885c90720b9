"""How far a migration is: a bar on a terminal, a log line now and then elsewhere."""

from time import monotonic
from types import TracebackType

import structlog
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llamalog_service.adoption.migration_progress import Progress as Reached
from llamalog_service.cli.runtime import error_console

_LINE_EVERY = 5.0
_log = structlog.get_logger("llamalog.migrate")


class MigrationProgress:
    """Shows what it is told on standard error; a context, which ends the bar."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=error_console,
            disable=not error_console.is_terminal,
        )
        self._task = self._bar.add_task("looking", visible=False)
        self._what, self._complete = "", False
        self._line_at = 0.0

    def __enter__(self) -> "MigrationProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, reached: Reached) -> None:
        """Show how far a step is; a new step begins anew."""
        begins = reached.what != self._what
        completes = reached.done == reached.total and not self._complete
        self._what, self._complete = reached.what, reached.done == reached.total
        if error_console.is_terminal:
            if begins:
                self._bar.reset(self._task, description=reached.what, visible=True)
            self._bar.update(self._task, completed=reached.done, total=reached.total)
        elif begins or completes or monotonic() >= self._line_at:
            self._line_at = monotonic() + _LINE_EVERY
            rows = {} if reached.total is None else {"done": reached.done, "total": reached.total}
            _log.info(reached.what, **rows)
