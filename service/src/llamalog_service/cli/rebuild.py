"""`llamalog rebuild`: the log folded anew from its topic, compared, repaired."""

from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from msgspec.structs import replace

from llamalog_service.bootstrap.rebuilds import Ways, rebuild_log
from llamalog_service.bootstrap.republishing import republish_provenance
from llamalog_service.cli.backfill.exit_codes import INTERRUPTED
from llamalog_service.cli.differences_file import DifferencesFile
from llamalog_service.cli.rebuild_report import RebuildBar, tell_report
from llamalog_service.cli.runtime import (
    exit_on_error,
    print_error,
    print_json,
    read_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.rebuild.comparison import Only
from llamalog_service.rebuild.options import Asked
from llamalog_service.rebuild.republish_store import Which
from llamalog_service.settings import Settings

DIFFERS: Final = 3
"""The live table is not what the topic makes of it, and was not repaired."""


def _only(texts: list[str]) -> Only:
    roots, entities = [], []
    for text in texts:
        what, _, which = text.partition("=")
        try:
            if what == "root" and which:
                roots.append(which)
            else:
                entities.append(_uuid(what, which))
        except ValueError:
            raise typer.BadParameter(
                f'"{text}" is not of the form root=JOB or entity=UUID', param_hint="--only"
            ) from None
    return Only(tuple(roots), tuple(entities))


def _uuid(what: str, which: str) -> UUID:
    if what != "entity":
        raise ValueError(what)
    return UUID(which)


def rebuild(  # noqa: PLR0917 -- typer calls it by name
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs, and tell others.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write nothing to the live table, also if it is empty; tell nobody."),
    ] = False,
    republish: Annotated[
        bool, typer.Option("--republish", help="In the end tell others every row, marked as replayed.")
    ] = False,
    only: Annotated[
        list[str],
        typer.Option(metavar="WHICH", help="Compare these rows: root=JOB or entity=UUID; may be repeated."),
    ] = [],  # noqa: B006 - typer copies it
    from_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Read what this archive (`llamalog archive`) holds from there, and the rest from the topic.",
        ),
    ] = None,
    archive_only: Annotated[
        bool,
        typer.Option(
            "--archive-only",
            help="With --from-file, into an empty database: read the archive and no topic, if that is lost.",
        ),
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop the leftovers of another rebuild first.")
    ] = False,
    allow_unsourced: Annotated[
        bool,
        typer.Option("--allow-unsourced", help="Take rows that no event tells as they stand, don't refuse."),
    ] = False,
    add_enum_labels: Annotated[
        bool, typer.Option("--add-enum-labels", help="Let the enums hold the words that legacy rows bear.")
    ] = False,
    max_deletes: Annotated[
        int, typer.Option(min=0, help="A repair that would remove more rows, which nobody told, is refused.")
    ] = 100,
    convergence_timeout: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long live traffic has to come to its last roots."),
    ] = 10.0,
    differences: Annotated[
        Path, typer.Option(metavar="FILE", help="Where every differing row is written, a JSON object a line.")
    ] = Path("rebuild-differences.jsonl"),
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the report as one object.")] = False,
) -> None:
    """Read all events beside the live table, work out every root anew, and compare row by row.

    The live table is not touched unless --repair says so, or it is empty and is filled. The service goes on
    meanwhile. Interrupted, it goes on with the same command. Ends with 0 if nothing differs or all was
    mended, with 3 if rows differ.
    """
    which = _only(only)
    if archive_only and from_file is None:
        raise typer.BadParameter("needs --from-file FOLDER", param_hint="--archive-only")
    settings = read_settings()
    ways = Ways(
        fill=not dry_run,
        repair=repair and not dry_run,
        archive=from_file,
    )
    try:
        with (
            exit_on_error(),
            signals_as_interrupts(),
            DifferencesFile(differences) as lines,
            RebuildBar() as bar,
        ):
            asked = Asked(
                only=which,
                discard=discard,
                allow_unsourced=allow_unsourced,
                add_words=add_enum_labels and not dry_run,
                max_deletes=max_deletes,
                settle_seconds=convergence_timeout,
                archive_only=archive_only,
                note=lines.note,
                noted=lines.keep,
            )
            report = run(rebuild_log(settings, asked, ways, bar.show))
    except KeyboardInterrupt:
        print_error("llamalog", "Stopped. What was read is kept: the same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None
    told = None
    try:
        if republish and not dry_run:
            told = _tell_again(settings, which)
    finally:
        report = replace(report, republished=told)
        if as_json:
            print_json(report)
        else:
            tell_report(report, differences)
    differs = report.differences.rows or report.overrides_differing
    raise typer.Exit(DIFFERS if differs and report.mended is None else 0)


def _tell_again(settings: Settings, which: Only) -> int:
    """The rebuild is done by now, whatever comes of it."""
    try:
        with signals_as_interrupts(), RebuildBar() as bar:
            return run(republish_provenance(settings, Which(None, *which), watch=bar.show))
    except KeyboardInterrupt:
        how = "with --root or --entity tells them" if any(which) else "with --resume goes on"
        print_error(
            "llamalog",
            "Stopped while rows were told again. The rebuild is done; "
            f"`llamalog provenance republish` {how}.",
        )
        raise typer.Exit(INTERRUPTED) from None
