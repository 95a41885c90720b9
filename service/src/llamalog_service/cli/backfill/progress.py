"""A progress bar over the rows of a backfill, whoever tells how far it is: its events, or its row."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llamalog_service.queries.backfills import BackfillState, describe_state


class BackfillBar:
    """A bar on a terminal; elsewhere a line each time the run does something else.

    Args:
        console: where it is drawn.
        title: what stands before it.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._said = ""
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows, {task.fields[set]:,} set, {task.fields[speed]:,.0f}/s"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(f"{title}: not heard of yet", total=None, set=0, speed=0.0)

    def show(self, state: BackfillState) -> None:
        """Draw how far the run is now."""
        doing = f"{self._title}: {describe_state(state)}"
        self._bar.update(
            self._task,
            description=doing,
            total=state.rows or None,
            completed=state.scanned,
            set=state.set_,
            speed=state.rows_per_second,
        )
        if doing != self._said and not self._console.is_terminal:
            self._console.print(doing, markup=False, soft_wrap=True)
        self._said = doing

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
