"""`llamalog provenance republish`: rows told again, for those who lost their view of them."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from llamalog_service.cli.backfill.exit_codes import INTERRUPTED
from llamalog_service.cli.json_output import print_json
from llamalog_service.cli.rebuilding import RebuildBar
from llamalog_service.cli.running import PATIENCE, out, read_settings, run, say_error
from llamalog_service.cli.signals import signals_as_interrupts
from llamalog_service.replay.republish import Which
from llamalog_service.settings import Settings
from llamalog_service.wiring.republishing import open_republishing

app = typer.Typer(name="provenance", help="What is told to others: told again.", no_args_is_help=True)


@app.callback()
def provenance() -> None:
    """What is told to others: told again."""


@app.command("republish")
def republish(
    every: Annotated[bool, typer.Option("--all", help="Every row.")] = False,
    since: Annotated[
        datetime | None, typer.Option(help="Rows recorded since this time (UTC if no zone is named).")
    ] = None,
    root: Annotated[str | None, typer.Option(metavar="JOB", help="Rows that have this root.")] = None,
    after: Annotated[
        UUID | None, typer.Option(metavar="ROW", help="Go on after this row, as a stopped call told.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object.")] = False,
) -> None:
    """Tell rows again as they stand on the topic of provenance: all, recorded since, or of a root.

    Nothing in the log changes. The records bear their revisions and the header `llamalog-replayed`: readers
    who know a row already pass it over.
    """
    if every == (since is not None or root is not None):
        say_error("llamalog", "Say which rows: --all, or --since, or --root, or the last two.")
        raise typer.Exit(2)
    settings = read_settings()
    moment = since.replace(tzinfo=since.tzinfo or UTC) if since is not None else None
    reached: list[UUID | None] = []
    try:
        with signals_as_interrupts(), RebuildBar() as bar:
            told = run(_republish(settings, bar, Which(after, moment, root), reached))
    except KeyboardInterrupt:
        where = f" if you add --after {reached[0]}" if reached and reached[0] is not None else ""
        say_error("llamalog", f"Stopped. The same command goes on where it was{where}.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"rows": told})
    else:
        out.print(f"{told:,} rows were told again.")


async def _republish(settings: Settings, bar: RebuildBar, which: Which, reached: list[UUID | None]) -> int:
    async with open_republishing(settings, bar.show, patience=PATIENCE) as republishing:
        try:
            return await republishing.run(which)
        finally:
            reached.append(republishing.reached)
