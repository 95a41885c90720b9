"""Backfills as they are printed: lists, runs, reports, bars."""

from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console, RenderableType

from histories import NOON
from llamalog_schemas.backfills import (
    BackfillPhase,
    BackfillReport,
    KeptAside,
    LiveChanges,
    NamedCycle,
    RootCounts,
    RunStatus,
)
from llamalog_schemas.commands import (
    BackfillRootsData,
    ExpectedCounts,
    GivenJobs,
    OneRoot,
    Scope,
    TimeWindow,
    WholeTable,
)
from llamalog_service.cli.backfill.following import BackfillBar
from llamalog_service.cli.backfill.tables import run_tables, runs_in
from llamalog_service.queries.backfills import BackfillRun, describe_scope
from llamalog_service.telemetry.logging import printable

RUN = UUID(int=7)
KNOWN = RootCounts(roots=1537, children=28, adopted=2, untracked=2485)


def a_run(requested: Mapping[str, Any] = MappingProxyType({}), **values: Any) -> BackfillRun:
    known: dict[str, Any] = {
        "run": RUN,
        "status": RunStatus.COMPLETED,
        "phase": BackfillPhase.DONE,
        "request": BackfillRootsData(scope=WholeTable(), requested_by="ada", **requested),
        "requested_at": NOON,
        "started_at": NOON,
        "finished_at": NOON,
        "requested_action": None,
        "rows": 4052,
        "scanned": 4052,
        "set_": 1567,
        "left": 2485,
        "by_class": KNOWN,
        "rows_per_second": 900.0,
        "error": None,
        "report": None,
    }
    return BackfillRun(**(known | values))


def a_report(**values: Any) -> BackfillReport:
    known: dict[str, Any] = {"rows": 4052, "plan": KNOWN, "end": KNOWN, "to_set": 1567, "set_": 1567}
    return BackfillReport(**(known | values))


def printed(content: RenderableType) -> list[str]:
    paper = StringIO()
    Console(width=160, file=paper).print(content)
    return paper.getvalue().splitlines()


def cells(lines: list[str], start: str) -> list[str]:
    """What stands in the line of a table whose first cell begins so."""
    (line,) = (line for line in lines if line.lstrip("│ ").startswith(start))
    return [cell.strip() for cell in line.strip().strip("│").split("│")][1:]


def test_a_list_of_runs_has_a_line_for_each() -> None:
    lines = printed(
        runs_in(160, [a_run(), a_run(run=UUID(int=8), status=RunStatus.QUEUED, requested={"dry_run": True})])
    )
    assert cells(lines, str(RUN)) == [
        "completed", "everything", "4,052", "4,052", "1,567", "ada", f"{NOON:%Y-%m-%d %H:%M:%S}Z",
    ]  # fmt: skip
    assert cells(lines, str(UUID(int=8)))[:2] == ["queued", "everything (dry run)"]


def test_where_a_terminal_is_narrow_a_run_is_printed_whole_below_its_id() -> None:
    lines = printed(runs_in(80, [a_run(), a_run(run=UUID(int=8), status=RunStatus.QUEUED)]))
    assert lines[0] == f"{RUN}  completed"
    assert lines[1].startswith("  everything; 4,052 of 4,052 rows scanned, 1,567 set; requested by ada, ")
    assert lines[2] == f"{UUID(int=8)}  queued"


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (WholeTable(), "everything"),
        (
            TimeWindow(from_=datetime.fromisoformat("2026-01-01T01:00+01:00"), to=NOON),
            f"rows from 2026-01-01 00:00:00Z to before {NOON:%Y-%m-%d %H:%M:%S}Z",
        ),
        (GivenJobs(jobs=("a",)), "the job a and below"),
        (GivenJobs(jobs=("a", "b", "c")), "the job a, 2 more, and below"),
        (OneRoot(root_job_id="a\x1b[2J"), "the root a�[2J and below"),
    ],
)
def test_a_scope_is_described_in_words(scope: Scope, words: str) -> None:
    assert describe_scope(scope, printable) == words


def test_a_run_under_way_shows_what_it_does_and_what_was_requested() -> None:
    run = a_run(status=RunStatus.RUNNING, phase=BackfillPhase.WRITING, requested_action="pause", scanned=3000)
    lines = [" ".join(line.split()) for line in printed(run_tables(run))]
    assert "status running, writing (pause requested)" in lines
    assert "so far 3,000 of 4,052 rows scanned, 1,567 set, 2,485 left, 900 rows/s" in lines


def test_a_run_that_failed_says_why_as_it_stands() -> None:
    error = "expected [bold]roots[/] 1,537"
    assert any(error in line for line in printed(run_tables(a_run(status=RunStatus.FAILED, error=error))))


def test_a_report_holds_plan_and_end_beside_the_expectation() -> None:
    end = RootCounts(roots=1537, children=27, adopted=2, untracked=2485)
    live = LiveChanges(corrected=1, by_class=RootCounts(children=1))
    run = a_run(
        report=a_report(end=end, live=live), requested={"expected": ExpectedCounts(roots=1537, children=30)}
    )
    lines = printed(run_tables(run))
    assert cells(lines, "roots (") == ["1,537", "1,537", "1,537", ""]
    assert cells(lines, "children (") == ["30", "28", "27", "1"]
    assert cells(lines, "untracked (") == ["", "2,485", "2,485", ""]
    assert cells(lines, "all rows") == ["", "4,052", "4,051", "1"]
    assert cells(lines, "conflicts (") == ["", "0", "0", ""]


def test_a_report_of_a_run_that_wrote_nothing_leaves_the_end_empty() -> None:
    lines = printed(run_tables(a_run(report=a_report(end=None, set_=0))))
    assert cells(lines, "all rows") == ["", "4,052", "", ""]


def test_a_report_separates_live_changes_and_what_was_kept_aside() -> None:
    report = a_report(
        live=LiveChanges(corrected=3, removed=4),
        kept_aside=KeptAside(parents_cleared=5, roots_overruled=6),
        unexplained=7,
        untold=1567,
    )
    lines = printed(run_tables(a_run(report=report)))
    assert cells(lines, "changed by live traffic meanwhile: rows corrected") == ["3"]
    assert cells(lines, "rows removed") == ["4"]
    assert cells(lines, "kept aside: parents of rows that call themselves root jobs") == ["5"]
    assert cells(lines, "roots computed before that differ from the rule") == ["6"]
    assert cells(lines, "not as planned, and nothing says why") == ["7"]
    assert cells(lines, "corrections that wait to be published") == ["1,567"]


def test_a_report_names_cycles_and_jobs_and_counts_those_it_does_not_name() -> None:
    report = a_report(
        cycles=(NamedCycle(members=("a", "b"), rows=3), NamedCycle(members=("self",), rows=1)),
        cycles_found=5,
        adopted_jobs=tuple(f"job-{number:02}" for number in range(25)),
        adopted_jobs_found=25,
    )
    lines = [line.strip() for line in printed(run_tables(a_run(report=report)))]
    assert "Cycles of parents: 5" in lines
    assert "a → b → a  (3 rows on it or below)" in lines
    assert "self → self  (1 rows on it or below)" in lines
    assert "and 3 more" in lines
    assert "job-19" in lines
    assert "job-20" not in lines
    assert "and 5 more" in lines


def test_a_cycle_of_very_many_jobs_is_a_line_of_bounded_length() -> None:
    ring = NamedCycle(members=tuple(f"{number:0100}" for number in range(900)), rows=900)
    text = "".join(printed(run_tables(a_run(report=a_report(cycles=(ring,), cycles_found=1)))))
    assert "888 more" in text
    assert len(text) < 10_000


def test_without_a_terminal_a_bar_is_a_line_for_each_step_of_the_run() -> None:
    paper = StringIO()
    with BackfillBar(Console(width=160, file=paper), "a backfill") as bar:
        bar.show(a_run(status=RunStatus.RUNNING, phase=BackfillPhase.PLANNING))
        for scanned in (1, 2, 3):
            bar.show(a_run(status=RunStatus.RUNNING, phase=BackfillPhase.WRITING, scanned=scanned))
        bar.show(a_run(status=RunStatus.PAUSED, phase=BackfillPhase.WRITING))
        bar.show(a_run())
    assert paper.getvalue().splitlines() == [
        "a backfill: planning",
        "a backfill: writing",
        "a backfill: paused while writing",
        "a backfill: completed",
    ]


def test_on_a_terminal_a_bar_shows_rows_and_speed() -> None:
    paper = StringIO()
    with BackfillBar(Console(width=160, file=paper, force_terminal=True), "a backfill") as bar:
        bar.show(a_run(status=RunStatus.RUNNING, phase=BackfillPhase.WRITING, scanned=3000))
    last = paper.getvalue()
    assert "a backfill: writing" in last
    assert "3000/4052" in last
    assert "1,567 set, 900/s" in last
