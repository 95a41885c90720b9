"""`llamalog conflicts`: rows that contradict each other, or that PostgreSQL lets no writer change."""

from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from llamalog_service.bootstrap import open_log
from llamalog_service.cli.rendering import ring_of, shown
from llamalog_service.cli.runtime import print_json, print_line, read_database_settings, run
from llamalog_service.queries.conflicts import (
    ConflictCounts,
    Cycle,
    RefusedRow,
    RowConflict,
    count_conflicts,
    cycles,
    declaration_conflicts,
    parent_conflicts,
    refused_rows,
)
from llamalog_service.queries.paging import Cursor, InvalidCursorError, Page, collect, parse_cursor
from llamalog_service.settings import DatabaseSettings

Item = TypeVar("Item")


class Kind(StrEnum):
    """The kinds of contradictions."""

    PARENTS = "parents"
    DECLARATIONS = "declarations"
    CYCLES = "cycles"
    REFUSED = "refused"


Found = tuple[
    ConflictCounts, Sequence[RowConflict], Sequence[RowConflict], Sequence[Cycle], Sequence[RefusedRow]
]


def conflicts(
    kind: Annotated[Kind | None, typer.Option(help="Only of this kind; all of them if left out.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many of each kind.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue behind this cursor; needs --kind.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")] = False,
) -> None:
    """List where events contradict each other, and rows that PostgreSQL refuses to correct.

    parents: rows that claim another parent than the earliest claim of their job, which counts.
    declarations: rows that declare another root than the one that was found.
    cycles: jobs that name each other as parents, with their members.
    refused: rows that a constraint, a policy or a trigger of the table's owner protects from a correction.
    """
    if after is not None and kind is None:
        raise typer.BadParameter("it continues within one kind: name it with --kind", param_hint="--after")
    if after is not None and kind is not Kind.CYCLES:
        _check_cursor(after)
    found = run(_read(read_database_settings(), kind, limit, after))
    if as_json:
        _print_as_json(found)
    else:
        _print(kind, found)


async def _read(settings: DatabaseSettings, kind: Kind | None, limit: int, after: str | None) -> Found:
    async with open_log(settings) as reader:

        async def found(
            of_kind: Kind,
            query: Callable[..., Coroutine[Any, Any, Page[Item]]],
            parse: Callable[[str | None], Any] = parse_cursor,
        ) -> Sequence[Item]:
            if kind not in {None, of_kind}:
                return ()
            return await collect(partial(query, reader), parse, limit, after)

        return (
            await count_conflicts(reader),
            await found(Kind.PARENTS, parent_conflicts),
            await found(Kind.DECLARATIONS, declaration_conflicts),
            await found(Kind.CYCLES, cycles, lambda first: first or ""),
            await found(Kind.REFUSED, refused_rows),
        )


def _check_cursor(text: str) -> None:
    try:
        Cursor.parse(text)
    except InvalidCursorError:
        raise typer.BadParameter(f'"{text}" is no cursor of this list', param_hint="--after") from None


def _print_as_json(found: Found) -> None:
    _, parents, declarations, rings, refused = found
    for kind, conflicts_of_kind in ((Kind.PARENTS, parents), (Kind.DECLARATIONS, declarations)):
        for conflict in conflicts_of_kind:
            print_json({"kind": kind, **msgspec.to_builtins(conflict)}, one_line=True)
    for cycle in rings:
        fields = {"kind": Kind.CYCLES, **msgspec.to_builtins(cycle), "cursor": cycle.members[0]}
        print_json(fields, one_line=True)
    for row in refused:
        print_json({"kind": Kind.REFUSED, **msgspec.to_builtins(row)}, one_line=True)


def _print(kind: Kind | None, found: Found) -> None:
    counts, parents, declarations, rings, refused = found
    if kind in {None, Kind.PARENTS}:
        print_line(f"{counts.parents:,} rows claim another parent than the one that counts.")
        _print_rows(parents, "claims", "counts", counts.parents)
    if kind in {None, Kind.DECLARATIONS}:
        print_line(f"{counts.declarations:,} rows declare another root than the one that was found.")
        _print_rows(declarations, "declares", "found", counts.declarations)
    if kind in {None, Kind.CYCLES}:
        print_line(f"{counts.cycles:,} cycles, with {counts.rows_on_cycles:,} rows on them and below them.")
        for cycle in rings:
            ring = ring_of(cycle.members)
            print_line(f"  {cycle.since:%Y-%m-%d %H:%M:%S}  {ring}  ({cycle.rows:,} rows)")
        if rings and len(rings) < counts.cycles:
            print_line(f"  Perhaps more: --kind cycles --after '{rings[-1].members[0]}'")
    if kind in {None, Kind.REFUSED}:
        print_line(f"{counts.refused:,} rows cannot be corrected: PostgreSQL refuses or undoes it.")
        for row in refused:
            print_line(
                f"  {row.since:%Y-%m-%d %H:%M:%S}  {_job(row.job)}  {row.write}: "
                f"{' '.join(row.reason.split())} ({row.sqlstate}; row {row.row}, {shown(row.operation)})"
            )
        if refused and len(refused) < counts.refused:
            print_line(f"  Perhaps more: --kind refused --after {refused[-1].cursor}")


def _print_rows(found: Sequence[RowConflict], claims: str, counts: str, total: int) -> None:
    for conflict in found:
        print_line(
            f"  {conflict.time:%Y-%m-%d %H:%M:%S}  {_job(conflict.job)}  {claims} "
            f"{_job(conflict.stated)}, {counts}: {_job(conflict.counts)}  "
            f"(row {conflict.row}, {shown(conflict.operation)})"
        )
    if found and len(found) < total:
        print_line(f"  Perhaps more: --after {found[-1].cursor}")


def _job(name: str | None) -> str:
    return "(none)" if name is None else shown(name)
