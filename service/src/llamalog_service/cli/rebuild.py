"""`llamalog rebuild`: the log rebuilt from its topic, compared, repaired."""

from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from msgspec.structs import replace

from llamalog_service.bootstrap.rebuilds import rebuild_log, republish_provenance
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.rebuild_report import DifferencesFile, print_report
from llamalog_service.cli.runtime import (
    INTERRUPTED,
    exit_on_error,
    print_error,
    print_json,
    read_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.rebuild.comparison import Selection
from llamalog_service.rebuild.rebuild import RebuildOptions
from llamalog_service.rebuild.republish import RepublishSelection
from llamalog_service.settings import Settings

DIFFERS: Final = 3
"""The exit code for a live table that differs from the rebuilt one and was not repaired."""


def _selection(texts: list[str]) -> Selection:
    roots, entities = [], []
    for text in texts:
        kind, _, id_ = text.partition("=")
        try:
            if kind == "root" and id_:
                roots.append(id_)
            else:
                entities.append(_uuid(kind, id_))
        except ValueError:
            raise typer.BadParameter(
                f'"{text}" is not of the form root=JOB or entity=UUID', param_hint="--only"
            ) from None
    return Selection(tuple(roots), tuple(entities))


def _uuid(kind: str, id_: str) -> UUID:
    if kind != "entity":
        raise ValueError(kind)
    return UUID(id_)


def rebuild(  # noqa: PLR0917 -- typer calls it by name
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what differs, and publish the corrections.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Write nothing to the live table, also if it is empty, and publish nothing."
        ),
    ] = False,
    republish: Annotated[
        bool, typer.Option("--republish", help="Afterwards publish every row again, marked as replayed.")
    ] = False,
    only: Annotated[
        list[str],
        typer.Option(
            metavar="SELECTION", help="Compare these rows: root=JOB or entity=UUID; may be repeated."
        ),
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
            help="With --from-file, into an empty database: read only the archive, if the topic is lost.",
        ),
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop the leftovers of another rebuild first.")
    ] = False,
    allow_unsourced: Annotated[
        bool,
        typer.Option(
            "--allow-unsourced", help="Copy rows without an event from the live table, don't refuse."
        ),
    ] = False,
    add_enum_labels: Annotated[
        bool, typer.Option("--add-enum-labels", help="Add labels of legacy rows to the enums.")
    ] = False,
    max_deletes: Annotated[
        int, typer.Option(min=0, help="Refuse a repair that would delete more rows, which have no event.")
    ] = 100,
    convergence_timeout: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wait so long for roots that live traffic corrects."),
    ] = 10.0,
    differences: Annotated[
        Path, typer.Option(metavar="FILE", help="The file of differing rows, a JSON object a line.")
    ] = Path("rebuild-differences.jsonl"),
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the report as one object.")] = False,
) -> None:
    """Rebuild the log from all events beside the live table, and compare both row by row.

    The live table is written only with --repair, or if it is empty and is loaded. The service runs
    meanwhile. An interrupted rebuild resumes with the same command. Exits with 0 if nothing differs or all
    was repaired, with 3 if rows differ.
    """
    selection = _selection(only)
    if archive_only and from_file is None:
        raise typer.BadParameter("needs --from-file FOLDER", param_hint="--archive-only")
    settings = read_settings()
    try:
        with (
            exit_on_error(),
            signals_as_interrupts(),
            DifferencesFile(differences) as lines,
            StepBar("llamalog.rebuild") as bar,
        ):
            options = RebuildOptions(
                only=selection,
                discard=discard,
                initial_load=not dry_run,
                allow_unsourced=allow_unsourced,
                add_enum_labels=add_enum_labels and not dry_run,
                max_deletes=max_deletes,
                convergence_timeout=convergence_timeout,
                archive_only=archive_only,
                on_difference=lines.write,
                on_compared=lines.complete,
            )
            report = run(
                rebuild_log(settings, options, bar.show, repair=repair and not dry_run, archive=from_file)
            )
    except KeyboardInterrupt:
        print_error("llamalog", "Stopped. What was read is kept: the same command resumes.")
        raise typer.Exit(INTERRUPTED) from None
    republished = None
    try:
        if republish and not dry_run:
            republished = _republish(settings, selection)
    finally:
        report = replace(report, republished=republished)
        if as_json:
            print_json(report)
        else:
            print_report(report, differences)
    differs = report.differences.rows or report.overrides_differing
    raise typer.Exit(DIFFERS if differs and report.repaired is None else 0)


def _republish(settings: Settings, selection: Selection) -> int:
    """Republish after the rebuild, which is done even if this is interrupted."""
    try:
        with signals_as_interrupts(), StepBar("llamalog.rebuild") as bar:
            return run(republish_provenance(settings, RepublishSelection(None, *selection), bar.show))
    except KeyboardInterrupt:
        how = "with --root or --entity publishes them" if any(selection) else "with --resume continues"
        print_error(
            "llamalog",
            "Stopped while rows were republished. The rebuild is done; "
            f"`llamalog provenance republish` {how}.",
        )
        raise typer.Exit(INTERRUPTED) from None
