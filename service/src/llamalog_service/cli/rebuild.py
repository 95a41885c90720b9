"""`llamalog rebuild`: the log rebuilt from its topic, compared, repaired."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Final, Self
from uuid import UUID

import typer
from msgspec.structs import replace
from rich.table import Table

from llamalog_service.bootstrap.rebuilds import rebuild_log, republish_provenance
from llamalog_service.cli.options import JsonReport
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import (
    console,
    exit_on_error,
    interruptible,
    print_json,
    print_line,
    read_settings,
    run,
)
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.rebuild.comparison import RebuildSelection
from llamalog_service.rebuild.rebuild import RebuildOptions
from llamalog_service.rebuild.report import RebuildReport
from llamalog_service.rebuild.republish import RepublishSelection
from llamalog_service.settings import Settings

DIFFERS: Final = 3
"""The exit code for a live table that differs from the rebuilt one and was not repaired, or not wholly."""


def _selection(texts: list[str]) -> RebuildSelection:
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
    return RebuildSelection(tuple(roots), tuple(entities))


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
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that share the reading of a long topic; by default one a core, four at most.",
        ),
    ] = None,
    differences: Annotated[
        Path, typer.Option(metavar="FILE", help="The file of differing rows, a JSON object a line.")
    ] = Path("rebuild-differences.jsonl"),
    as_json: JsonReport = False,
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
    with (
        interruptible("Stopped. What was read is kept: the same command resumes."),
        exit_on_error(),
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
            rebuild_log(
                settings,
                options,
                bar.show,
                repair=repair and not dry_run,
                archive=from_file,
                processes=processes,
            )
        )
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
    raise typer.Exit(DIFFERS if report.unrepaired or (differs and report.repaired is None) else 0)


def _republish(settings: Settings, selection: RebuildSelection) -> int:
    """Republish after the rebuild, which is done even if this is interrupted."""
    how = "with --root or --entity publishes them" if any(selection) else "with --resume continues"
    stopped = (
        f"Stopped while rows were republished. The rebuild is done; `llamalog provenance republish` {how}."
    )
    with interruptible(stopped), StepBar("llamalog.rebuild") as bar:
        return run(republish_provenance(settings, RepublishSelection(None, *selection), bar.show))


class DifferencesFileError(LlamalogError):
    """The file of differences can't be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"The differing rows can't be written to {path}: {error.strerror or error}. Nothing was changed. "
            "Name another file with --differences, or make room."
        )


class DifferencesFile:
    """The file of differing rows, under a temporary name until `complete` replaces an earlier run's file.

    Raises:
        DifferencesFileError: the file can't be written; on entering already, and in `write` and `complete`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        with self._errors():
            if self._path.exists() and not self._path.is_file():
                raise OSError("it is not a file")
            self._part.touch()
            self._part.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with self._errors():
                self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, line: str) -> None:
        """Write a line."""
        with self._errors():
            self._file = self._file or self._part.open("w", encoding="utf-8")
            self._file.write(f"{line}\n")

    def complete(self) -> None:
        """Give the file its final name; without a line, delete the file of an earlier run."""
        with self._errors():
            if self._file is None:
                self._path.unlink(missing_ok=True)
            else:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._part.replace(self._path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DifferencesFileError(self._path, error) from error


def print_report(report: RebuildReport, differences: Path) -> None:
    """Print a report for people; `differences` is the file of differences."""
    console.print(_summary(report))
    if not report.loaded:
        console.print(_counts(report))
    for line in conclusions(report, differences):
        print_line(line)


def conclusions(report: RebuildReport, differences: Path) -> list[str]:
    """The outcome of a rebuild in sentences."""
    found = report.differences
    lines: list[str] = []
    if report.contested:
        lines.append(
            f"{report.contested:,} ids have several contents; of {report.contested_kept_live:,} the live "
            "table keeps another than an empty one would get, which is no difference."
        )
    if found.corrected_meanwhile:
        lines.append(f"{found.corrected_meanwhile:,} roots were corrected by live traffic meanwhile.")
    if report.unsourced_rows or report.unsourced_overrides:
        lines.append(
            f"{report.unsourced_rows:,} rows and {report.unsourced_overrides:,} overrides have no event and "
            "were copied from the live table: the rebuild does not verify these."
        )
    if report.loaded and report.unrepaired:
        lines.append(
            f"The live table was empty and has been loaded, but for {report.unrepaired:,} rows or overrides "
            "that PostgreSQL refuses or drops. Correct the cause, and run the same command with --repair:"
        )
        lines += _refusals(report)
    elif report.loaded:
        lines.append(f"The live table was empty and holds {report.rebuilt.rows:,} rows now.")
    elif not found.rows and not report.overrides_differing:
        lines.append("Nothing differs: the live table is what its events make of it.")
    else:
        lines += _differences(report, differences)
    if report.republished is not None:
        lines.append(f"{report.republished:,} rows were republished.")
    return lines


def _differences(report: RebuildReport, file: Path) -> Iterator[str]:
    found, is_repaired = report.differences, report.repaired is not None
    kinds = f"{found.missing:,} missing, {found.extra:,} extra, {found.different:,} different"
    yield f"{found.rows:,} rows differ ({kinds}); {file} names each of them."
    if found.by_column:
        columns = ", ".join(f"{name} {rows:,}" for name, rows in sorted(found.by_column.items()))
        yield f"Columns that differ: {columns}."
    if report.overrides_differing:
        yield f"{report.overrides_differing:,} overrides are missing or differ."
    if report.deleted:
        yield f"{report.deleted:,} rows without an event were deleted; the table removed_rows has them."
    if report.restored:
        yield f"{report.restored:,} of these were inserted again: their events came during the repair."
    if report.unrepaired:
        yield (
            f"{report.repaired:,} of them were repaired; {report.unrepaired:,} still differ, since "
            "PostgreSQL refuses, drops or changes what is written. Correct the cause, and run the same "
            "command again:"
        )
        yield from _refusals(report)
    else:
        yield "All of it was repaired." if is_repaired else "Nothing was changed; --repair repairs it."


def _refusals(report: RebuildReport) -> Iterator[str]:
    yield from (f"  {row}: {' '.join(reason.split())}" for row, reason in report.refusals.items())


def _summary(report: RebuildReport) -> Table:
    table = Table(title=f"Rebuilt from {report.topic}")
    table.add_column("")
    table.add_column("", justify="right")
    for name, number in (
        ("messages", report.messages),
        ("dead letters", report.dead_letters),
        ("tombstones", report.tombstones),
        ("duplicates", report.duplicates),
        ("rows rebuilt", report.rebuilt.rows),
        ("rows in the live table", report.live.rows),
    ):
        table.add_row(name, f"{number:,}")
    table.add_row("checksum, rebuilt", report.rebuilt.checksum)
    table.add_row("checksum, live", report.live.checksum)
    table.add_row("seconds", f"{report.seconds:,.1f}")
    return table


def _counts(report: RebuildReport) -> Table:
    """Counts on both sides; of days only those that differ."""
    table = Table(title="Rows")
    for name in ("", "live", "rebuilt", "difference"):
        table.add_column(name, justify="right" if name else "left")
    live, rebuilt = report.live, report.rebuilt
    for title, one, other in (
        ("category", live.by_category, rebuilt.by_category),
        ("origin", live.by_origin, rebuilt.by_origin),
        ("day", live.by_day, rebuilt.by_day),
    ):
        for name in sorted(one.keys() | other.keys()):
            here, there = one.get(name, 0), other.get(name, 0)
            if title != "day" or here != there:
                difference = f"{here - there:+,}" if here != there else ""
                table.add_row(f"{title} {name}", f"{here:,}", f"{there:,}", difference)
    return table
