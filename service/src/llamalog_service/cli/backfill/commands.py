"""`llamalog backfill`: start, pause, resume and cancel over Kafka; list and show from PostgreSQL."""

from typing import Annotated
from uuid import UUID, uuid4

import typer

from llamalog_schemas.commands import (
    BackfillRootsData,
    CancelBackfill,
    MissingParent,
    PauseBackfill,
    ResumeBackfill,
    RunRequest,
    RunRequestData,
)
from llamalog_service.backfill.backfill_store import ACTIONS
from llamalog_service.backfill.scopes import InvalidScopeError
from llamalog_service.bootstrap.backfills import open_backfills, request_backfill, request_run_action
from llamalog_service.cli.backfill.following import follow_to_the_end, read_known, show_run
from llamalog_service.cli.backfill.options import (
    BatchSize,
    DryRun,
    Expect,
    Jobs,
    Json,
    MissingParents,
    Rate,
    RequestedBy,
    Root,
    Run,
    Since,
    Until,
    choose_scope,
)
from llamalog_service.cli.backfill.tables import runs_in
from llamalog_service.cli.runtime import (
    SOURCE,
    TIMEOUT,
    console,
    print_error,
    print_json,
    read_database_settings,
    read_settings,
    run,
)
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.backfills import BackfillRun, read_backfill, read_backfills
from llamalog_service.settings import DatabaseSettings, Settings

_KEPT_WITHIN = 60.0
"""Seconds for a migration consumer to keep the command as a run."""

Watch = Annotated[bool, typer.Option("--watch", help="Follow the run to its end, as `watch` does.")]

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")]
Open = Annotated[bool, typer.Option("--open", help="Only those that have not ended.")]


class RunHasEndedError(LlamalogError):
    """A run that has ended can't be paused, resumed or cancelled."""

    def __init__(self, run: BackfillRun, verb: str) -> None:
        super().__init__(
            f"There is nothing to {verb}: the backfill {run.run} has ended, it is {run.status}. Nothing was "
            f"requested. `llamalog backfill show {run.run}` has its report."
        )


def start(  # noqa: PLR0917 -- typer calls it by name
    requested_by: RequestedBy,
    jobs: Jobs = [],  # noqa: B006 -- typer copies it
    root: Root = None,
    since: Since = None,
    until: Until = None,
    missing_parent: MissingParents = MissingParent.LEAVE,
    batch_size: BatchSize = None,
    rate: Rate = None,
    expect: Expect = None,
    dry_run: DryRun = False,
    follow: Watch = False,
    as_json: Json = False,
) -> None:
    """Request a backfill of roots: of everything, or of the scope in the options.

    Backfills wait for each other; recomputes for live traffic pass them.
    """
    try:
        scope = choose_scope(jobs, root, since, until)
    except InvalidScopeError as error:
        raise typer.BadParameter(str(error)) from error
    data = BackfillRootsData(
        scope=scope,
        requested_by=requested_by,
        missing_parent=missing_parent,
        batch_size=batch_size,
        rate_limit=rate,
        dry_run=dry_run,
        expected=expect,
    )
    settings, run_id = read_settings(), uuid4()
    run(request_backfill(settings, run_id, data, source=SOURCE, timeout=TIMEOUT))
    _print_request(run_id, "start", as_json=as_json, stream=follow)
    if follow:
        follow_to_the_end(settings, run_id, as_json=as_json, timeout=_KEPT_WITHIN)


def pause(run_id: Run, requested_by: RequestedBy, as_json: Json = False) -> None:
    """Pause a backfill at its next batch; what it has written stays."""
    _request(PauseBackfill, run_id, requested_by, as_json=as_json)


def resume(run_id: Run, requested_by: RequestedBy, as_json: Json = False) -> None:
    """Resume a paused backfill where it was."""
    _request(ResumeBackfill, run_id, requested_by, as_json=as_json)


def cancel(run_id: Run, requested_by: RequestedBy, as_json: Json = False) -> None:
    """End a backfill at its next batch; what it has written stays."""
    _request(CancelBackfill, run_id, requested_by, as_json=as_json)


def _request(request: type[RunRequest], run_id: UUID, requested_by: str, *, as_json: bool) -> None:
    settings = read_settings()
    run(_request_if_open(settings, request, run_id, requested_by))
    _print_request(run_id, ACTIONS[request], as_json=as_json)


async def _request_if_open(
    settings: Settings, request: type[RunRequest], run_id: UUID, requested_by: str
) -> None:
    """Request an action, also of a run that the database does not have yet: its start is read first."""
    async with open_backfills(settings) as reader:
        known = await read_backfill(reader, run_id)
    if known is not None and known.has_ended:
        raise RunHasEndedError(known, ACTIONS[request])
    if known is None:
        print_error(
            "llamalog", f"The database does not have the backfill {run_id} yet; it is requested all the same."
        )
    data = RunRequestData(run=run_id, requested_by=requested_by)
    await request_run_action(settings, request, data, source=SOURCE, timeout=TIMEOUT)


def _print_request(run_id: UUID, action: str, *, as_json: bool, stream: bool = False) -> None:
    if as_json:
        print_json({"run": run_id, "requestedAction": action}, one_line=stream)
        return
    what = "It starts in its turn" if action == "start" else "It takes effect at the next batch"
    console.print(f"Requested: {action} backfill {run_id}. {what}; follow it with", soft_wrap=True)
    console.print(f"  llamalog backfill watch {run_id}", soft_wrap=True)


def list_(limit: Limit = 20, only_open: Open = False, as_json: Json = False) -> None:
    """List the backfills, the newest first."""
    runs = run(_read(read_database_settings(), limit, only_open=only_open))
    if as_json:
        print_json(runs)
    elif runs:
        console.print(runs_in(console.width, runs))
    else:
        console.print("No backfill is open." if only_open else "No backfill was ever requested.")


async def _read(settings: DatabaseSettings, limit: int, *, only_open: bool) -> list[BackfillRun]:
    async with open_backfills(settings) as reader:
        return await read_backfills(reader, limit, only_open=only_open)


def show(run_id: Run, as_json: Json = False) -> None:
    """Show the progress of a backfill, and its report once it has ended."""
    found = run(read_known(read_database_settings(), run_id))
    if as_json:
        print_json(found)
    else:
        show_run(found)
