"""`llamalog genesis`: the rows of an adopted table told as events, so that its topic holds everything."""

from typing import Annotated, Final

import typer

from llamalog_service.cli.backfill.exit_codes import INTERRUPTED
from llamalog_service.cli.json_output import print_json
from llamalog_service.cli.rebuilding import RebuildBar
from llamalog_service.cli.running import PATIENCE, out, read_settings, run, say_error
from llamalog_service.cli.signals import signals_as_interrupts
from llamalog_service.wiring.genesis import tell_genesis

INCOMPLETE: Final = 3
"""Some of it no event can say, or no topic takes."""


def genesis(
    anew: Annotated[
        bool, typer.Option("--anew", help="Tell everything again: after the topic was lost.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: what was told, as one object.")
    ] = False,
) -> None:
    """Tell the rows that were there before events existed, and all decrees, as events of the service's own.

    Each event carries its row as it stands. Interrupted, the same command goes on where it was; done twice,
    it finds nothing left. Readers of the topic take what is told again for duplicates.
    """
    settings = read_settings()
    try:
        with signals_as_interrupts(), RebuildBar() as bar:
            told = run(tell_genesis(settings, bar.show, anew=anew, patience=PATIENCE))
    except KeyboardInterrupt:
        say_error("llamalog", "Stopped. What was told is noted: the same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"rows": told.rows, "decrees": told.decrees, "untellable": told.untellable})
    else:
        out.print(f"{told.rows:,} rows and {told.decrees:,} decrees were told.")
        for row in told.untellable:
            out.print(f"{row} could not be told: no valid event can say it, or the topic does not take it.")
    raise typer.Exit(INCOMPLETE if told.untellable else 0)
