"""`llamalog backfill start|pause|resume|cancel`: commands to the migration consumer, over Kafka."""

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
from llamalog_service.bootstrap.backfills import open_backfills, request_backfill, request_run_action
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
)
from llamalog_service.cli.backfill.scope import InvalidScopeError, choose_scope
from llamalog_service.cli.backfill.watching import watch_to_the_end
from llamalog_service.cli.runtime import TIMEOUT, console, print_error, print_json, read_settings, run
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.backfills import BackfillRun, read_backfill
from llamalog_service.settings import Settings

_KEPT_WITHIN = 60.0
"""Seconds for a migration consumer to keep the command as a run."""

Watch = Annotated[bool, typer.Option("--watch", help="Follow the run to its end, as `watch` does.")]

_DOES = {PauseBackfill: "pause", ResumeBackfill: "resume", CancelBackfill: "cancel"}


class RunHasEndedError(LlamalogError):
    """A run that has ended can't be paused, resumed or cancelled."""

    def __init__(self, run: BackfillRun, verb: str) -> None:
        super().__init__(
            f"There is nothing to {verb}: the backfill {run.run} has ended, it is {run.status}. Nothing was "
            f"asked. `llamalog backfill show {run.run}` has its report."
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
    """Ask for a backfill of roots: of everything, or of what the options say.

    Backfills wait for each other; repairs of live traffic pass them.
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
    run(request_backfill(settings, run_id, data, timeout=TIMEOUT))
    _tell(run_id, "start", as_json=as_json, stream=follow)
    if follow:
        watch_to_the_end(settings, run_id, as_json=as_json, timeout=_KEPT_WITHIN)


def pause(run_id: Run, requested_by: RequestedBy, as_json: Json = False) -> None:
    """Pause a backfill at its next batch; what it has written stays."""
    _ask(PauseBackfill, run_id, requested_by, as_json=as_json)


def resume(run_id: Run, requested_by: RequestedBy, as_json: Json = False) -> None:
    """Let a paused backfill go on where it was."""
    _ask(ResumeBackfill, run_id, requested_by, as_json=as_json)


def cancel(run_id: Run, requested_by: RequestedBy, as_json: Json = False) -> None:
    """End a backfill at its next batch; what it has written stays."""
    _ask(CancelBackfill, run_id, requested_by, as_json=as_json)


def _ask(request: type[RunRequest], run_id: UUID, requested_by: str, *, as_json: bool) -> None:
    settings = read_settings()
    run(_ask_if_open(settings, request, run_id, requested_by))
    _tell(run_id, _DOES[request], as_json=as_json)


async def _ask_if_open(
    settings: Settings, request: type[RunRequest], run_id: UUID, requested_by: str
) -> None:
    """A run that the database does not know yet may be asked: its start is read first."""
    async with open_backfills(settings) as reader:
        known = await read_backfill(reader, run_id)
    if known is not None and known.has_ended:
        raise RunHasEndedError(known, _DOES[request])
    if known is None:
        print_error(
            "llamalog", f"The database does not know the backfill {run_id} yet; it is asked all the same."
        )
    data = RunRequestData(run=run_id, requested_by=requested_by)
    await request_run_action(settings, request, data, timeout=TIMEOUT)


def _tell(run_id: UUID, asked: str, *, as_json: bool, stream: bool = False) -> None:
    if as_json:
        print_json({"run": run_id, "asked": asked}, one_line=stream)
        return
    what = "It starts in its turn" if asked == "start" else "It takes effect at the next batch"
    console.print(f"Asked for: {asked} backfill {run_id}. {what}; see how far it is with", soft_wrap=True)
    console.print(f"  llamalog backfill watch {run_id}", soft_wrap=True)
