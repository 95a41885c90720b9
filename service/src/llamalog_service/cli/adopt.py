"""`llamalog adopt`: check, migrate, backfill, reconcile, report; PostgreSQL alone."""

import sys
from typing import Annotated, Final

import typer

from llamalog_schemas.commands import BackfillRootsData, MissingParent, WholeTable
from llamalog_service.bootstrap.adoption import Found, adopt_roots, look_at_database
from llamalog_service.bootstrap.database import migrate_database
from llamalog_service.cli.adopt_report import AdoptionTold
from llamalog_service.cli.backfill.exit_codes import COMPLETED, ERROR, INTERRUPTED, USAGE, code_of
from llamalog_service.cli.backfill.options import BatchSize, Expect, Json, Rate, RequestedBy
from llamalog_service.cli.backfill.progress import BackfillBar
from llamalog_service.cli.migration_progress import MigrationProgress
from llamalog_service.cli.runtime import (
    error_console,
    print_error,
    read_database_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.settings import DatabaseSettings

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on after the check without asking.")]
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
"""By how it ended where no run did."""

_NO_LOG: Final = (
    "There is no log to adopt: the database has neither a table enrichment_logs nor llama_logs. Nothing was "
    "changed. Check the address in LLAMALOG_DATABASE_URL; a new installation begins with `llamalog migrate`."
)


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

    Needs PostgreSQL alone. Stopped or killed, it goes on where it was with the same command; done again, it
    finds nothing to do. Ends with 0 if the log is adopted, 3 if the counts were not as expected.
    """
    asked = BackfillRootsData(
        scope=WholeTable(),
        requested_by=requested_by,
        missing_parent=MissingParent.ADOPT,
        batch_size=batch_size,
        rate_limit=rate,
        dry_run=dry_run,
        expected=expect,
    )
    told = AdoptionTold(as_json=as_json)
    try:
        with signals_as_interrupts():
            outcome = _adopt(read_database_settings(), asked, told, compat_view=compat_view, yes=yes)
    except KeyboardInterrupt:
        print_error("llamalog", "Stopped. What is done is kept: the same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None
    told.close(outcome)
    raise typer.Exit(_CODES[outcome] if outcome in _CODES else code_of(outcome))


def _adopt(
    settings: DatabaseSettings, asked: BackfillRootsData, told: AdoptionTold, *, compat_view: bool, yes: bool
) -> str:
    """How it ended, in a word: that of the run's status, or of `_CODES`."""
    found = run(look_at_database(settings, compat_view=compat_view))
    if (outcome := _ends_with_the_check(found, asked, told) or _is_stopped(asked, yes=yes)) is not None:
        return outcome
    if not asked.dry_run:
        with MigrationProgress() as progress:
            told.migrated(run(migrate_database(settings, progress.show, compat_view=compat_view)))
    with BackfillBar(error_console, "roots") as bar:
        ended = run(adopt_roots(settings, asked, bar.show))
    told.ended(ended)
    return ended.status


def _ends_with_the_check(found: Found, asked: BackfillRootsData, told: AdoptionTold) -> str | None:
    """How it ended, if what was found leaves nothing to do, or nothing that can be done."""
    if found.check.finds_no_log:
        print_error("llamalog", _NO_LOG)
        return "no-log"
    told.found(found, asked)
    if found.check.problems:
        return "not-adoptable"
    if _is_nothing_to_do(found, asked):
        told.say("There is nothing to do.")
        return "nothing-to-do"
    if asked.dry_run and found.adoption is None:
        told.say("Nothing was changed. The roots can be planned once the table is migrated.")
        return "checked"
    return None


def _is_nothing_to_do(found: Found, asked: BackfillRootsData) -> bool:
    """Expectations are held against a plan even where nothing would change."""
    is_complete = found.adoption is not None and found.adoption.is_complete and not found.check.steps
    return is_complete and asked.expected is None and not asked.dry_run


def _is_stopped(asked: BackfillRootsData, *, yes: bool) -> str | None:
    """How it ended, if nobody says that it is to go on."""
    if yes or asked.dry_run:
        return None
    if not sys.stdin.isatty():
        print_error("llamalog", "Nothing was changed: there is no terminal to ask on. To go on, add --yes.")
        return "not-confirmed"
    return None if typer.confirm("Go on?", err=True) else "declined"
