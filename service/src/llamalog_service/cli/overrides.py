"""`llamalog adopt-root` and `llamalog revoke`: an operator's word about a job that was never seen."""

import getpass
from typing import Annotated

import typer

from llamalog_service.bootstrap.overrides import PublishedOverride, override_root
from llamalog_service.cli.runtime import TIMEOUT, console, read_settings, run
from llamalog_service.queries.jobs import JobState
from llamalog_service.styles import printable

Job = Annotated[str, typer.Argument(help="The job, as rows name it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the override.")]
By = Annotated[str | None, typer.Option(help="Who asks for it; the user of this machine if left out.")]


def adopt_root(job: Job, reason: Reason, by: By = None) -> None:
    """Let a job whose own events never came count as a root.

    Rows that hang on it get it as their root, with the origin ADOPTED. It lapses when an event of the job
    comes after all, and `llamalog revoke` takes it back.
    """
    published = _override(job, reason, by, adopted=True)
    _say(f"The override {published.override.id} is published: once it is read, {job} counts as a root.")
    _say_what_is_odd(published.standing, adopts=True)


def revoke(job: Job, reason: Reason, by: By = None) -> None:
    """Take back that a job counts as a root: rows that hang on it have an unknown root again."""
    published = _override(job, reason, by, adopted=False)
    _say(f"The override {published.override.id} is published: once it is read, {job} is no root by override.")
    _say_what_is_odd(published.standing, adopts=False)


def _override(job: str, reason: str, by: str | None, *, adopted: bool) -> PublishedOverride:
    work = override_root(
        read_settings(),
        job,
        adopted=adopted,
        reason=reason,
        requested_by=by or getpass.getuser(),
        timeout=TIMEOUT,
    )
    return run(work)


def _say_what_is_odd(standing: JobState | None, *, adopts: bool) -> None:
    if standing is None:
        _say("The database could not be looked at: if the job has been seen, the override has no effect.")
        return
    if not standing.is_named:
        _say("So far no row names the job as its parent: look whether it is spelt right.")
    override = standing.override
    if adopts and override is not None and override.adopted:
        at = f"{override.decreed_at:%Y-%m-%d %H:%M:%S}"
        _say(f"It was adopted already, by {override.requested_by} at {at} UTC: {override.reason}")
    if not adopts and (override is None or not override.adopted):
        _say("So far as the database knows the job was not adopted.")


def _say(line: str) -> None:
    console.print(printable(line), markup=False, soft_wrap=True)
