"""`llamalog conflicts`: where events contradict each other."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from llamalog_service.bootstrap.observation import open_observation
from llamalog_service.cli.runtime import console, print_json, read_settings, run
from llamalog_service.queries.conflicts import ConflictCounts, Cycle, RowConflict
from llamalog_service.queries.paging import Cursor, InvalidCursorError
from llamalog_service.settings import Settings
from llamalog_service.styles import printable


class Kind(StrEnum):
    """What sort of contradiction."""

    PARENTS = "parents"
    DECLARATIONS = "declarations"
    CYCLES = "cycles"


Found = tuple[ConflictCounts, Sequence[RowConflict], Sequence[RowConflict], Sequence[Cycle]]


def conflicts(
    kind: Annotated[Kind | None, typer.Option(help="Only of this kind; all of them if left out.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many of each kind.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on behind the last one told; needs --kind.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")] = False,
) -> None:
    """List where events contradict each other.

    parents: rows that claim another parent than the earliest claim of their job, which counts.
    declarations: rows that declare another root than the one that was found.
    cycles: jobs that name each other as parents, with their members.
    """
    if after is not None and kind is None:
        raise typer.BadParameter("it goes on within one kind: name it with --kind", param_hint="--after")
    if after is not None and kind is not Kind.CYCLES:
        _check_cursor(after)
    counts, parents, declarations, cycles = run(_read(read_settings(), kind, limit, after))
    if as_json:
        for of_kind, found in ((Kind.PARENTS, parents), (Kind.DECLARATIONS, declarations)):
            for conflict in found:
                print_json(_as_json(of_kind, conflict), one_line=True)
        for cycle in cycles:
            print_json(_as_json(Kind.CYCLES, cycle), one_line=True)
        return
    if kind in (None, Kind.PARENTS):
        _say(f"{counts.parents:,} rows claim another parent than the one that counts.")
        _say_rows(parents, "claims", "counts", counts.parents)
    if kind in (None, Kind.DECLARATIONS):
        _say(f"{counts.declarations:,} rows declare another root than the one that was found.")
        _say_rows(declarations, "declares", "found", counts.declarations)
    if kind in (None, Kind.CYCLES):
        _say(f"{counts.cycles:,} cycles, with {counts.rows_on_cycles:,} rows on them and below them.")
        for cycle in cycles:
            ring = " → ".join((*cycle.members, cycle.members[0]))
            _say(f"  {cycle.since:%Y-%m-%d %H:%M:%S}  {ring}  ({cycle.rows:,} rows)")
        if cycles and len(cycles) < counts.cycles:
            _say(f"  Perhaps more: --kind cycles --after '{cycles[-1].members[0]}'")


async def _read(settings: Settings, kind: Kind | None, limit: int, after: str | None) -> Found:
    async with open_observation(settings) as observation:
        return (
            await observation.conflict_counts(),
            await observation.parent_conflicts(limit, after) if kind in (None, Kind.PARENTS) else (),
            await observation.declaration_conflicts(limit, after)
            if kind in (None, Kind.DECLARATIONS)
            else (),
            await observation.cycles(limit, after) if kind in (None, Kind.CYCLES) else (),
        )


def _check_cursor(text: str) -> None:
    try:
        Cursor.parse(text)
    except InvalidCursorError:
        raise typer.BadParameter(f'"{text}" is no cursor that was told', param_hint="--after") from None


def _say_rows(found: Sequence[RowConflict], said: str, counts: str, in_all: int) -> None:
    for conflict in found:
        _say(
            f"  {conflict.time:%Y-%m-%d %H:%M:%S}  {conflict.job}  {said} {conflict.said}, "
            f"{counts}: {conflict.counts}  (row {conflict.row}, {conflict.operation})"
        )
    if found and len(found) < in_all:
        _say(f"  Perhaps more: --after {found[-1].cursor}")


def _as_json(kind: Kind, found: RowConflict | Cycle) -> dict[str, object]:
    cursor = {"cursor": found.members[0]} if isinstance(found, Cycle) else {}
    return {"kind": kind, **msgspec.to_builtins(found), **cursor}


def _say(line: str) -> None:
    console.print(printable(line), markup=False, soft_wrap=True)
