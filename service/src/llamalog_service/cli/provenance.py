"""`llamalog provenance`: what others are told of the log."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from llamalog_service.bootstrap.republishing import republish_provenance
from llamalog_service.cli.backfill.exit_codes import INTERRUPTED
from llamalog_service.cli.rebuild_report import RebuildBar
from llamalog_service.cli.runtime import (
    TIMEOUT,
    console,
    print_error,
    print_json,
    read_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.rebuild.republish_store import Which

app = typer.Typer(name="provenance", help="What others are told of the log.", no_args_is_help=True)

Since = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
        help="Rows recorded at this time (UTC) or later; not those of before that were corrected since.",
    ),
]


@app.command()
def republish(  # noqa: PLR0917 -- typer calls it by name
    since: Since = None,
    root: Annotated[str | None, typer.Option(metavar="JOB", help="Rows whose root is this job.")] = None,
    entity: Annotated[
        UUID | None, typer.Option(metavar="UUID", help="Rows about this album, artist or track.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=1, help="Rows a second at most.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same command was interrupted.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: what was done, as an object.")
    ] = False,
) -> None:
    """Tell rows again as they stand: all, or some, for readers who have lost their view.

    The records bear the header llamalog-replayed. Readers that keep the highest revision of a row are not
    disturbed. Nothing of the log changes, and the service may go on meanwhile.
    """
    settings = read_settings()
    recorded_since = since.replace(tzinfo=UTC) if since is not None else None
    roots = (root,) if root is not None else ()
    which = Which(recorded_since, roots, (entity,) if entity is not None else ())
    try:
        with signals_as_interrupts(), RebuildBar() as bar:
            told = run(
                republish_provenance(
                    settings, which, rate=rate, resume=resume, watch=bar.show, timeout=TIMEOUT
                )
            )
    except KeyboardInterrupt:
        print_error("llamalog", "Stopped. The same command with --resume goes on; without, it begins anew.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"rows": told})
    else:
        console.print(f"{told:,} rows were told again.", markup=False, soft_wrap=True)
