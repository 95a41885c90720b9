"""`llamalog provenance`: the provenance records that consumers read."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from llamalog_service.bootstrap.rebuilds import republish_provenance
from llamalog_service.cli.options import parse_when
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import TIMEOUT, console, interruptible, print_json, read_settings, run
from llamalog_service.domain.timestamps import is_age
from llamalog_service.rebuild.republish import RepublishSelection

app = typer.Typer(name="provenance", help="The provenance records that consumers read.", no_args_is_help=True)


def parse_recorded_since(text: str) -> datetime:
    """A moment in ISO 8601; no time span, since `--resume` needs the same moment again.

    Raises:
        typer.BadParameter: it is none.
    """
    if is_age(text):
        raise typer.BadParameter(
            f"{text!r} is another moment each time, and --resume needs the same: give one like 2026-02-10 "
            "(UTC) or 2026-02-10T10:30:00+01:00."
        )
    return parse_when(text)


Since = Annotated[
    datetime | None,
    typer.Option(
        metavar="MOMENT",
        parser=parse_recorded_since,
        help="Rows recorded at this moment or later; not those of before that were corrected since.",
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
        bool, typer.Option("--resume", help="Continue the same command after an interruption.")
    ] = False,
    supersede: Annotated[
        bool,
        typer.Option(
            "--supersede",
            help="Raise the rows' revisions first: the database has lost some that consumers know.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the outcome as one object.")] = False,
) -> None:
    """Publish current rows again, all or some, for consumers that have lost their view.

    The records have the header llamalog-replayed. For consumers that keep the highest revision of a row they
    are duplicates. The log is not changed, except by --supersede, and the service may run meanwhile.
    """
    settings = read_settings()
    roots = (root,) if root is not None else ()
    selection = RepublishSelection(since, roots, (entity,) if entity is not None else ())
    stopped = "Stopped. The same command with --resume continues; without, it begins anew."
    with interruptible(stopped), StepBar("llamalog.rebuild") as bar:
        republished = run(
            republish_provenance(
                settings,
                selection,
                bar.show,
                rate=rate,
                resume=resume,
                supersede=supersede,
                timeout=TIMEOUT,
            )
        )
    if as_json:
        print_json({"rows": republished})
    else:
        console.print(f"{republished:,} rows were republished.", markup=False, soft_wrap=True)
