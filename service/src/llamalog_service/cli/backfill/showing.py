"""`llamalog backfill list` and `llamalog backfill show`: the runs as the database keeps them."""

from typing import Annotated
from uuid import UUID

import typer

from llamalog_service.bootstrap.backfills import open_backfills
from llamalog_service.cli.backfill.options import Json, Run
from llamalog_service.cli.backfill.tables import run_tables, runs_in
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.backfills import BackfillRun, read_backfill, read_backfills
from llamalog_service.settings import DatabaseSettings

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")]
Open = Annotated[bool, typer.Option("--open", help="Only those that have not ended.")]


class NoSuchRunError(LlamalogError):
    """The database knows no backfill of that id."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(
            f"The database knows no backfill {run_id}. Look with `llamalog backfill list`; one that was just "
            "requested is known as soon as a migration consumer (`llamalog migration-consumer`) has read the "
            "command."
        )


def list_(limit: Limit = 20, only_open: Open = False, as_json: Json = False) -> None:
    """List the backfills, the newest first."""
    runs = run(_read(read_database_settings(), limit, only_open=only_open))
    if as_json:
        print_json(runs)
    elif runs:
        console.print(runs_in(console.width, runs))
    else:
        console.print("No backfill is open." if only_open else "No backfill was ever asked for.")


async def _read(settings: DatabaseSettings, limit: int, *, only_open: bool) -> list[BackfillRun]:
    async with open_backfills(settings) as reader:
        return await read_backfills(reader, limit, only_open=only_open)


def show(run_id: Run, as_json: Json = False) -> None:
    """Show how far a backfill is, and its report once it has ended."""
    found = run(read_known(read_database_settings(), run_id))
    if as_json:
        print_json(found)
    else:
        show_run(found)


def show_run(found: BackfillRun) -> None:
    """Print a run as tables."""
    console.print(run_tables(found))


async def read_known(settings: DatabaseSettings, run_id: UUID) -> BackfillRun:
    """A run as it stands.

    Raises:
        NoSuchRunError: the database does not know it.
        UnavailableError: PostgreSQL is away.
    """
    async with open_backfills(settings) as reader:
        found = await read_backfill(reader, run_id)
    if found is None:
        raise NoSuchRunError(run_id)
    return found
