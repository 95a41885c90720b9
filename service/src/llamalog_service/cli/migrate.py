"""`llamalog migrate`: the database brought to this version's schema, with a progress bar."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from llamalog_service.adoption.migration_check import MigrationCheck, PlannedStep
from llamalog_service.adoption.migration_runner import check_migration
from llamalog_service.adoption.migration_runner import migrate as migrate_database
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import (
    console,
    exit_on_error,
    print_error,
    print_json,
    read_database_settings,
    run,
)

Check = Annotated[bool, typer.Option("--check", help="List the steps that would be taken; change nothing.")]
CompatView = Annotated[
    bool,
    typer.Option("--compat-view", help="Keep the name enrichment_logs readable: a view, the old columns."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def migrate(check: Check = False, compat_view: CompatView = False, as_json: Json = False) -> None:
    """Bring the database to this version's schema; safe to repeat, also while other programs write.

    Stopped or killed, the same command resumes. With --check it ends with 1 if the table can't be taken over.
    """
    settings = read_database_settings()
    with exit_on_error():
        dsn = settings.database_dsn()
    if check:
        found = run(check_migration(dsn, compat_view=compat_view))
        if as_json:
            print_json(found)
        else:
            print_check(found)
        raise typer.Exit(1 if found.problems else 0)
    with StepBar("llamalog.migrate") as bar:
        revisions = run(migrate_database(dsn, bar.show, compat_view=compat_view))
    if as_json:
        print_json({"applied": revisions})
    else:
        console.print(applied(revisions), soft_wrap=True)


def applied(revisions: Sequence[str]) -> str:
    """A sentence about the revisions that a migration applied."""
    if not revisions:
        return "The database was up to date: nothing was applied."
    return f"The database was migrated: {', '.join(revisions)} applied."


def steps_table(steps: Sequence[PlannedStep]) -> Table:
    """The pending steps of a migration, one row each."""
    table = Table("Revision", "What it does", title="Pending steps", title_justify="left")
    table.add_column("Rows touched", justify="right")
    for step in steps:
        table.add_row(step.revision, step.what, f"{step.rows:,}" if step.rows else "")
    return table


def print_check(found: MigrationCheck) -> None:
    """Print the state of the table, the problems, and the pending steps."""
    revision = "never migrated by llamalog" if found.revision is None else f"revision {found.revision}"
    console.print(f"Found: {found.start}; {found.rows:,} rows; {revision}.", soft_wrap=True)
    for problem in found.problems:
        print_error("In the way", f"{problem}.")
    if found.steps:
        console.print(steps_table(found.steps))
    elif not found.problems:
        console.print("The table is migrated: there is no pending step.")
