"""Backfills as tables: a list of runs, one run, and the report of one that has ended."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from llamalog_schemas.backfills import BackfillReport, NamedCycle, RunStatus
from llamalog_schemas.commands import ExpectedCounts
from llamalog_service.cli.rendering import ring_of, shown
from llamalog_service.queries.backfills import CLASSES, BackfillRun, describe_scope, describe_state, moment
from llamalog_service.telemetry.logging import printable

_COLOURS = {
    RunStatus.QUEUED: "cyan",
    RunStatus.RUNNING: "blue",
    RunStatus.PAUSED: "yellow",
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "magenta",
}
_COLUMNS_OF_RUNS = 124
"""Of a terminal, from which on a line a run has room."""

_NAMED_AT_MOST = 20
"""Cycles and jobs that a table names; JSON has all that the report has."""


def runs_in(width: int, runs: Sequence[BackfillRun]) -> RenderableType:
    """Runs in the order given, as fits so many columns; an id is never broken, it is there to be copied."""
    return runs_table(runs) if width >= _COLUMNS_OF_RUNS else Group(*(_in_short(run) for run in runs))


def _in_short(run: BackfillRun) -> Text:
    return Text.assemble(
        f"{run.run}  ",
        _status(run),
        f"\n  {_scope(run)}; {run.scanned:,} of {run.rows:,} rows scanned, {run.set_:,} set; "
        f"requested by {printable(run.request.requested_by)}, {moment(run.requested_at)}",
    )


def _scope(run: BackfillRun) -> str:
    return describe_scope(run.request.scope, printable) + (" (dry run)" if run.request.dry_run else "")


def runs_table(runs: Sequence[BackfillRun]) -> Table:
    """One line a run, in the order given."""
    table = Table(title="Backfills", title_justify="left", title_style="bold")
    table.add_column("run", no_wrap=True)
    for heading in ("status", "scope"):
        table.add_column(heading, overflow="fold")
    for heading in ("rows", "scanned", "set"):
        table.add_column(heading, justify="right")
    for heading in ("requested by", "at"):
        table.add_column(heading, overflow="fold")
    for run in runs:
        table.add_row(
            Text(str(run.run)),
            _status(run),
            Text(_scope(run)),
            *(f"{count:,}" for count in (run.rows, run.scanned, run.set_)),
            Text(printable(run.request.requested_by)),
            moment(run.requested_at),
        )
    return table


def run_tables(run: BackfillRun) -> Group:
    """A run as it stands, and its report once it has one."""
    parts: list[RenderableType] = [_facts(run)]
    if run.report is not None:
        parts += report_tables(run.report, run.request.expected)
    return Group(*parts)


def _facts(run: BackfillRun) -> Table:
    table = Table(
        title=f"Backfill {run.run}", title_justify="left", title_style="bold", show_header=False, box=None
    )
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in _lines(run):
        table.add_row(name, value)
    return table


def _lines(run: BackfillRun) -> Iterator[tuple[str, Text]]:
    yield "status", _status(run)
    if run.error:
        yield "because", Text(printable(run.error), "red")
    yield "scope", Text(describe_scope(run.request.scope, printable))
    yield (
        "a top never logged",
        Text("counts as a root" if run.request.missing_parent == "adopt" else "stays unknown"),
    )
    yield "options", Text(", ".join(_options(run)) or "none")
    yield "requested by", Text(f"{printable(run.request.requested_by)}, {moment(run.requested_at)}")
    yield "started", Text(moment(run.started_at))
    yield "ended", Text(moment(run.finished_at))
    if not run.has_ended:
        yield (
            "so far",
            Text(
                f"{run.scanned:,} of {run.rows:,} rows scanned, {run.set_:,} set, {run.left:,} left, "
                f"{run.rows_per_second:,.0f} rows/s"
            ),
        )


def _options(run: BackfillRun) -> Iterator[str]:
    if run.request.dry_run:
        yield "dry run"
    if run.request.batch_size is not None:
        yield f"batches of {run.request.batch_size:,} rows at most"
    if run.request.rate_limit is not None:
        yield f"{run.request.rate_limit:,} rows a second at most"


def _status(run: BackfillRun) -> Text:
    status = Text(run.status.value, _COLOURS[run.status])
    if run.status is RunStatus.RUNNING:
        status.append(f", {describe_state(run)}", "dim")
    if run.requested_action and not run.has_ended:
        status.append(f" ({run.requested_action} requested)", "yellow")
    return status


def report_tables(report: BackfillReport, expected: ExpectedCounts | None) -> list[RenderableType]:
    """The counts by class, what was done, and cycles and adopted jobs by name."""
    parts: list[RenderableType] = [_classes(report, expected), _done(report)]
    if report.cycles_found:
        lines = (_cycle(cycle) for cycle in report.cycles)
        parts.append(_named(f"Cycles of parents: {report.cycles_found:,}", lines, report.cycles_found))
    if report.adopted_jobs_found:
        title = f"Jobs never logged that count as roots: {report.adopted_jobs_found:,}"
        parts.append(_named(title, map(shown, report.adopted_jobs), report.adopted_jobs_found))
    return parts


def _classes(report: BackfillReport, expected: ExpectedCounts | None) -> Table:
    table = Table(title="Rows by class", title_justify="left", title_style="bold")
    table.add_column()
    for heading in ("expected", "planned", "at the end", "changed live"):
        table.add_column(heading, justify="right")
    for name, meaning in CLASSES.items():
        table.add_row(*_counts(f"{name} ({meaning})", name, report, expected))
    table.add_section()
    table.add_row(*_counts("all rows", "rows", report, expected))
    table.add_section()
    about = "conflicts (claim another parent than the one that counts)"
    table.add_row(*_counts(about, "conflicts", report, expected))
    return table


def _counts(title: str, name: str, report: BackfillReport, expected: ExpectedCounts | None) -> Iterator[Text]:
    planned: int = getattr(report.plan, name)
    wanted: int | None = getattr(expected, name, None)
    end: int | None = getattr(report.end, name, None)
    live: int = getattr(report.live.by_class, name)
    yield Text(title)
    yield Text("" if wanted is None else f"{wanted:,}")
    yield Text(f"{planned:,}", "bold red" if wanted not in (None, planned) else "")
    yield Text("" if end is None else f"{end:,}", "" if end is None or end + live == planned else "bold red")
    yield Text(f"{live:,}" if live else "")


def _done(report: BackfillReport) -> Table:
    table = Table(title="What was done", title_justify="left", title_style="bold", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    kept = report.kept_aside
    for what, count in (
        ("rows that differed from the plan", report.to_set),
        ("rows set", report.set_),
        ("  and rows set when it looked again", report.set_after_looking_again),
        ("changed by live traffic meanwhile: rows corrected", report.live.corrected),
        ("  rows removed", report.live.removed),
        ("refused by PostgreSQL and set aside", report.refused),
        ("not as planned, and nothing says why", report.unexplained),
        ("kept aside: parents of rows that call themselves root jobs", kept.parents_cleared),
        ("  roots computed before that differ from the rule", kept.roots_overruled),
        ("corrections that wait to be published", report.untold),
    ):
        table.add_row(what, f"{count:,}")
    took = f"{report.batches:,} batches, {report.lock_timeouts:,} of them put off by a lock"
    table.add_row(took, f"{report.seconds:,.1f} s")
    return table


def _cycle(cycle: NamedCycle) -> str:
    return f"{ring_of(cycle.members)}  ({cycle.rows:,} rows on it or below)"


def _named(title: str, names: Iterable[str], found: int) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(overflow="fold")
    shown = [name for _, name in zip(range(_NAMED_AT_MOST), names, strict=False)]
    for name in shown:
        table.add_row(Text(f"  {name}"))
    if found > len(shown):
        table.add_row(Text(f"  and {found - len(shown):,} more", "dim"))
    return table
