"""`llamalog backfill watch`: a run as its events tell it, until its end."""

import typer

from llamalog_service.bootstrap.backfills import follow_backfill
from llamalog_service.cli.backfill.exit_codes import INTERRUPTED, code_of
from llamalog_service.cli.backfill.options import Json, Run
from llamalog_service.cli.backfill.progress import BackfillBar
from llamalog_service.cli.backfill.showing import read_known, show_run
from llamalog_service.cli.runtime import TIMEOUT, error_console, print_error, print_json, read_settings, run
from llamalog_service.settings import Settings


def watch(run_id: Run, as_json: Json = False) -> None:
    """Follow a backfill to its end; Ctrl-C ends the watching, not the run.

    Ends with 0 if it completed, 3 if it failed, 4 if it was cancelled.
    """
    watch_to_the_end(read_settings(), run_id, as_json=as_json, timeout=TIMEOUT)


def watch_to_the_end(settings: Settings, run_id: Run, *, as_json: bool, timeout: float) -> None:
    """Show how far a run is until it has ended, then its report; ends the process with its code.

    Args:
        as_json: a line of JSON for each event, rather than a bar and a table.
        timeout: seconds to wait for a run that nobody knows.
    """
    try:
        if as_json:
            end = run(
                follow_backfill(
                    settings, run_id, lambda told: print_json(told, one_line=True), timeout=timeout
                )
            )
        else:
            with BackfillBar(error_console, f"backfill {run_id}") as bar:
                end = run(follow_backfill(settings, run_id, bar.show, timeout=timeout))
            show_run(run(read_known(settings, run_id)))
    except KeyboardInterrupt:
        print_error(
            "llamalog",
            f"No longer watching; the run goes on. `llamalog backfill watch {run_id}` shows it again.",
        )
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(code_of(end.status))
