"""`llamalog adopt`: check, migrate, backfill, reconcile, report; PostgreSQL alone."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import typer

from llamalog_schemas.backfills import RootCounts, RunStatus
from llamalog_schemas.commands import BackfillRootsData, MissingParent, WholeTable
from llamalog_service.adoption.adopt import AdoptionState
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.bootstrap.adoption import adopt_roots, inspect_adoption
from llamalog_service.cli.backfill.following import COMPLETED, ERROR, USAGE, BackfillBar, code_of
from llamalog_service.cli.backfill.options import BatchSize, Expect, Json, Rate, RequestedBy
from llamalog_service.cli.backfill.tables import run_tables
from llamalog_service.cli.migrate import applied, print_check
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import (
    console,
    error_console,
    interruptible,
    print_error,
    print_json,
    read_database_settings,
    run,
)
from llamalog_service.queries.backfills import Adoption, BackfillRun
from llamalog_service.settings import DatabaseSettings

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation after the check.")]
CompatView = Annotated[
    bool,
    typer.Option("--compat-view", help="Keep the old table name readable: a view with the old columns."),
]
Preview = Annotated[
    bool,
    typer.Option("--dry-run", help="Check, and plan the roots if the table is migrated; change nothing."),
]

_CODES: Final = {
    "nothing-to-do": COMPLETED,
    "checked": COMPLETED,
    "no-log": ERROR,
    "not-adoptable": ERROR,
    "declined": ERROR,
    "not-confirmed": USAGE,
}
"""Exit codes of the outcomes without a run."""

_NO_LOG: Final = (
    "There is no log to adopt: the database has neither a table enrichment_logs nor llama_logs. Nothing was "
    "changed. Check the address in LLAMALOG_DATABASE_URL; a new installation begins with `llamalog migrate`."
)


class AdoptionReport:
    """The output of an adoption: printed step by step for people, or as one JSON object at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._content: dict[str, Any] = {}

    def checked(self, found: AdoptionState, request: BackfillRootsData) -> None:
        """Report the check, what is left to do, and options that a resumed run ignores."""
        self._content["check"] = found.check
        ignored = ignored_options(found, request)
        if ignored:
            self._content["ignoredOptions"] = list(ignored)
        if self._as_json:
            return
        print_check(found.check)
        for line in what_is_left(found):
            self.print_line(line)
        if ignored:
            self.print_line(
                f"It keeps the speed that it was begun with: {' and '.join(ignored)} of this call is "
                "ignored. To change it, cancel that run (`llamalog backfill cancel`) and adopt again: what "
                "is written stays."
            )

    def migrated(self, revisions: Sequence[str]) -> None:
        """Report the revisions that were applied."""
        self._content["migrated"] = list(revisions)
        self.print_line(applied(revisions))

    def ended(self, run: BackfillRun) -> None:
        """Report the end of the backfill of the roots."""
        self._content["run"] = run
        if self._as_json:
            return
        console.print(run_tables(run))
        for line in conclusion(run, was_migrated=bool(self._content.get("migrated"))):
            self.print_line(line)

    def print_line(self, line: str) -> None:
        """Print a line for people, unless JSON is wanted."""
        if not self._as_json:
            console.print(line, markup=False, soft_wrap=True)

    def close(self, outcome: str) -> None:
        """Print the JSON object, if it is wanted."""
        if self._as_json:
            print_json({"outcome": outcome} | self._content)


def what_is_left(found: AdoptionState) -> Iterator[str]:
    """Sentences about what is left to do after the migration."""
    if found.check.problems:
        yield "Nothing was changed. Remove what is in the way, and run the same command again."
        return
    if found.adoption is None:
        yield "Then the roots of all rows are planned, counted, and written in small batches."
        return
    if found.adoption.under_way is not None:
        yield f"The adoption {found.adoption.under_way.run} was begun before and resumes."
    elif found.adoption.run is not None:
        yield f"It was adopted before: `llamalog backfill show {found.adoption.run.run}` has the report."
    yield _rows_left(found.adoption)


def _rows_left(adoption: Adoption) -> str:
    return (
        f"{adoption.unprocessed:,} rows have no origin yet; {adoption.pending:,} rows belong to a job that "
        "was never logged and does not count as a root."
    )


def ignored_options(found: AdoptionState, request: BackfillRootsData) -> Sequence[str]:
    """The given options that differ from those of the resumed run."""
    begun = None if found.adoption is None or request.dry_run else found.adoption.under_way
    if begun is None:
        return ()
    given = {
        "--batch-size": (request.batch_size, begun.request.batch_size),
        "--rate": (request.rate_limit, begun.request.rate_limit),
    }
    return [name for name, (now, then) in given.items() if now is not None and now != then]


def conclusion(run: BackfillRun, *, was_migrated: bool) -> Iterator[str]:
    """Sentences about the result of an ended run."""
    report = run.report
    if run.status is RunStatus.CANCELLED:
        yield "It was cancelled. What it had written stays; the same command begins it anew."
    elif run.status is RunStatus.FAILED:
        if report is not None and not report.set_:
            yield "No root was written. The steps of the migration stay: they are right for any roots."
    elif run.request.dry_run:
        yield "This was a dry run: no root was written."
    elif report is not None and not (was_migrated or report.set_ or report.set_after_looking_again):
        yield "There was nothing to do: every row has the root that the rules give it."
    elif report is not None:
        rooted = _with_root(report.plan)
        yield f"The log is adopted: {rooted:,} of {report.rows:,} rows have a root, the others say why not."
    if report is not None and report.untold:
        yield (
            f"{report.untold:,} corrections wait to be published. A migration consumer (`llamalog "
            "migration-consumer`) publishes them when it runs; nothing else waits for that."
        )


def _with_root(counts: RootCounts) -> int:
    return counts.roots + counts.children + counts.adopted + counts.declared


def adopt(  # noqa: PLR0917 -- typer calls it by name
    requested_by: RequestedBy,
    expect: Expect = None,
    compat_view: CompatView = False,
    batch_size: BatchSize = None,
    rate: Rate = None,
    dry_run: Preview = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take over a database that already holds such a log: migrate it, work out all roots, and report.

    Needs PostgreSQL alone. Stopped or killed, the same command resumes; repeated after its end, it finds
    nothing to do. Ends with 0 if the log is adopted, 3 if the counts were not as expected.
    """
    request = BackfillRootsData(
        scope=WholeTable(),
        requested_by=requested_by,
        missing_parent=MissingParent.ADOPT,
        batch_size=batch_size,
        rate_limit=rate,
        dry_run=dry_run,
        expected=expect,
    )
    report = AdoptionReport(as_json=as_json)
    with interruptible("Stopped. What is done is kept: the same command resumes."):
        outcome = _adopt(read_database_settings(), request, report, compat_view=compat_view, yes=yes)
    report.close(outcome)
    raise typer.Exit(_CODES[outcome] if outcome in _CODES else code_of(outcome))


def _adopt(
    settings: DatabaseSettings,
    request: BackfillRootsData,
    report: AdoptionReport,
    *,
    compat_view: bool,
    yes: bool,
) -> str:
    """The outcome: a run's status, or a key of `_CODES`."""
    found = run(inspect_adoption(settings, compat_view=compat_view))
    if (outcome := _ends_with_the_check(found, request, report) or _declined(request, yes=yes)) is not None:
        return outcome
    if not request.dry_run:
        with StepBar("llamalog.migrate") as bar:
            report.migrated(run(migrate(settings.database_dsn(), bar.show, compat_view=compat_view)))
    with BackfillBar(error_console, "roots") as backfill_bar:
        ended = run(adopt_roots(settings, request, backfill_bar.show))
    report.ended(ended)
    return ended.status


def _ends_with_the_check(
    found: AdoptionState, request: BackfillRootsData, report: AdoptionReport
) -> str | None:
    """The outcome, if the check leaves nothing to do, or nothing that can be done."""
    if found.check.finds_no_log:
        print_error("llamalog", _NO_LOG)
        return "no-log"
    report.checked(found, request)
    if found.check.problems:
        return "not-adoptable"
    if _is_nothing_to_do(found, request):
        report.print_line("There is nothing to do.")
        return "nothing-to-do"
    if request.dry_run and found.adoption is None:
        report.print_line("Nothing was changed. The roots can be planned once the table is migrated.")
        return "checked"
    return None


def _is_nothing_to_do(found: AdoptionState, request: BackfillRootsData) -> bool:
    """Expectations are checked against a plan even where nothing would change."""
    is_complete = found.adoption is not None and found.adoption.is_complete and not found.check.steps
    return is_complete and request.expected is None and not request.dry_run


def _declined(request: BackfillRootsData, *, yes: bool) -> str | None:
    """The outcome, if the user does not confirm; None to continue."""
    if yes or request.dry_run:
        return None
    if not sys.stdin.isatty():
        print_error(
            "llamalog", "Nothing was changed: there is no terminal to ask on. To continue, add --yes."
        )
        return "not-confirmed"
    return None if typer.confirm("Go on?", err=True) else "declined"
