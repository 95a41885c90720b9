"""`llamalog backfill watch`: a run followed to its end by its events, with a progress bar and exit codes."""

from functools import partial
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import typer
from rich.console import Console

from llamalog_service.bootstrap.backfills import follow_backfill, open_backfills
from llamalog_service.cli.backfill.options import Json, Run
from llamalog_service.cli.backfill.tables import run_tables
from llamalog_service.cli.progress import progress_bar
from llamalog_service.cli.runtime import (
    TIMEOUT,
    console,
    error_console,
    interruptible,
    print_json,
    read_settings,
    run,
)
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.backfills import BackfillRun, BackfillState, describe_state, read_backfill
from llamalog_service.settings import DatabaseSettings, Settings

COMPLETED: Final = 0
ERROR: Final = 1
"""The run's end is not known: a service was away, or the request was impossible."""

USAGE: Final = 2
FAILED: Final = 3
"""The run failed: its counts were not as expected, or did not add up; the report says which."""

CANCELLED: Final = 4

_BY_STATUS: Final = {"completed": COMPLETED, "failed": FAILED, "cancelled": CANCELLED}


def code_of(status: str) -> int:
    """The exit code of an ended run."""
    return _BY_STATUS[status]


class NoSuchRunError(LlamalogError):
    """The database has no backfill of that id."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(
            f"The database knows no backfill {run_id}. Look with `llamalog backfill list`; one that was just "
            "requested is known as soon as a migration consumer (`llamalog migration-consumer`) has read the "
            "command."
        )


class BackfillBar:
    """A progress bar on a terminal; elsewhere a line for each change of the run's state.

    Args:
        console: draws it.
        title: its label.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._printed = ""
        details = "rows, {task.fields[set]:,} set, {task.fields[speed]:,.0f}/s"
        self._bar = progress_bar(details, console=console)
        self._task = self._bar.add_task(f"{title}: not known yet", total=None, set=0, speed=0.0)

    def show(self, state: BackfillState) -> None:
        """Draw the run's current state."""
        doing = f"{self._title}: {describe_state(state)}"
        self._bar.update(
            self._task,
            description=doing,
            total=state.rows or None,
            completed=state.scanned,
            set=state.set_,
            speed=state.rows_per_second,
        )
        if doing != self._printed and not self._console.is_terminal:
            self._console.print(doing, markup=False, soft_wrap=True)
        self._printed = doing

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def watch(run_id: Run, as_json: Json = False) -> None:
    """Follow a backfill to its end; Ctrl-C ends the command, not the run.

    Ends with 0 if it completed, 3 if it failed, 4 if it was cancelled.
    """
    follow_to_the_end(read_settings(), run_id, as_json=as_json, timeout=TIMEOUT)


def follow_to_the_end(settings: Settings, run_id: Run, *, as_json: bool, timeout: float) -> None:
    """Show a run's progress until it has ended, then its report; ends the process with its code.

    Args:
        as_json: a line of JSON for each event, rather than a bar and a table.
        timeout: seconds to wait for a run that is not known yet.
    """
    stopped = f"No longer followed; the run continues. `llamalog backfill watch {run_id}` shows it again."
    with interruptible(stopped):
        if as_json:
            show = partial(print_json, one_line=True)
            end = run(follow_backfill(settings, run_id, show, timeout=timeout))
        else:
            with BackfillBar(error_console, f"backfill {run_id}") as bar:
                end = run(follow_backfill(settings, run_id, bar.show, timeout=timeout))
            show_run(run(read_known(settings, run_id)))
    raise typer.Exit(code_of(end.status))


def show_run(found: BackfillRun) -> None:
    """Print a run as tables."""
    console.print(run_tables(found))


async def read_known(settings: DatabaseSettings, run_id: UUID) -> BackfillRun:
    """A run by its id.

    Raises:
        NoSuchRunError: the database does not know it.
        UnavailableError: PostgreSQL is away.
    """
    async with open_backfills(settings) as reader:
        found = await read_backfill(reader, run_id)
    if found is None:
        raise NoSuchRunError(run_id)
    return found
