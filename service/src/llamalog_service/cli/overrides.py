"""`llamalog adopt-root` and `llamalog revoke`: overrides of the root by an operator."""

import getpass
from typing import Annotated

import typer

from llamalog_service.backfill.root_overrides import PublishedOverride
from llamalog_service.bootstrap.backfills import override_root
from llamalog_service.cli.rendering import shown
from llamalog_service.cli.runtime import SOURCE, TIMEOUT, print_line, read_settings, run
from llamalog_service.queries.jobs import JobState

Job = Annotated[str, typer.Argument(help="The job, as rows name it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the override.")]
By = Annotated[str | None, typer.Option(help="Who requests it; the user of this machine if left out.")]


def adopt_root(job: Job, reason: Reason, by: By = None) -> None:
    """Let a job whose own events never came count as a root.

    Rows below it get it as their root, with the origin ADOPTED. It lapses when an event of the job
    comes after all, and `llamalog revoke` takes it back.
    """
    published = _override(job, reason, by, adopted=True)
    print_line(f"The override {published.override.id} is published: once it is read, {job} counts as a root.")
    _print_warnings(published.job_state, adopts=True)


def revoke(job: Job, reason: Reason, by: By = None) -> None:
    """Revoke the adoption of a job as a root: rows below it have an unknown root again."""
    published = _override(job, reason, by, adopted=False)
    print_line(
        f"The override {published.override.id} is published: once it is read, {job} is no root by override."
    )
    _print_warnings(published.job_state, adopts=False)


def _override(job: str, reason: str, by: str | None, *, adopted: bool) -> PublishedOverride:
    work = override_root(
        read_settings(),
        job,
        source=SOURCE,
        adopted=adopted,
        reason=reason,
        requested_by=by or getpass.getuser(),
        timeout=TIMEOUT,
    )
    return run(work)


def _print_warnings(job_state: JobState | None, *, adopts: bool) -> None:
    if job_state is None:
        print_line("The database could not be read: if the job has been seen, the override has no effect.")
        return
    if not job_state.is_named:
        print_line("So far no row names the job as its parent: check its spelling.")
    override = job_state.override
    if adopts and override is not None and override.adopted:
        at = f"{override.overridden_at:%Y-%m-%d %H:%M:%S}"
        print_line(
            f"It was adopted already, by {shown(override.requested_by)} at {at} UTC: {shown(override.reason)}"
        )
    if not adopts and (override is None or not override.adopted):
        print_line("So far as the database knows the job was not adopted.")
