"""`llamalog adopt-root`, `revoke` and `overrides`: overrides of operators, their list, their publication."""

import getpass
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import typer

from llamalog_service.backfill.root_overrides import PublishedOverride
from llamalog_service.bootstrap import open_log
from llamalog_service.bootstrap.backfills import override_root, publish_overrides
from llamalog_service.cli.options import Json
from llamalog_service.cli.rendering import shown
from llamalog_service.cli.runtime import (
    SOURCE,
    TIMEOUT,
    print_json,
    print_line,
    read_database_settings,
    read_settings,
    run,
)
from llamalog_service.queries.jobs import JobState
from llamalog_service.queries.overrides import COUNTED, Override, OverrideKind, OverrideState, read_overrides
from llamalog_service.queries.paging import InvalidCursorError, collect, parse_cursor
from llamalog_service.settings import DatabaseSettings

app = typer.Typer(name="overrides", invoke_without_command=True)

UNPUBLISHABLE: Final = 3
"""The exit code of `llamalog overrides publish` where no event can hold some."""

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


@app.callback()
def overrides(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue behind this cursor of the list.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")] = False,
) -> None:
    """List what operators decreed: who, when and why, and whether it still has an effect."""
    if context.invoked_subcommand is not None:
        return
    try:
        parse_cursor(after)
    except InvalidCursorError:
        raise typer.BadParameter(f'"{after}" is no cursor of this list', param_hint="--after") from None
    found = run(_list(read_database_settings(), limit, after))
    for one in found:
        if as_json:
            print_json(one, one_line=True)
        else:
            print_line(_line(one))
    if not as_json and not found:
        print_line("There are no overrides.")
    if not as_json and len(found) == limit:
        print_line(f"Perhaps more: --after {found[-1].cursor}")


@app.command("publish")
def publish(as_json: Json = False) -> None:
    """Publish the overrides that the topic of overrides lacks, as they stand in the log.

    Those were decreed when overrides were entity events, or their topic was lost. Look through the list
    first: at that time every producer could write one. Repeating it does no harm. Ends with 3 if no event
    can hold some.
    """
    report = run(publish_overrides(read_settings(), timeout=TIMEOUT))
    if as_json:
        print_json(report)
    else:
        print_line(
            f"{report.published:,} overrides were published; {report.present:,} were in the topic already."
        )
        for one in report.unpublishable:
            print_line(f"No event can hold the override {one.id}: {shown(one.why)}")
        if report.unread > len(report.unpublishable):
            print_line(
                f"The provenance consumer has not read {report.unread - len(report.unpublishable):,} of the "
                "table's yet; it marks them when it does (`llamalog consumer`)."
            )
    raise typer.Exit(UNPUBLISHABLE if report.unpublishable else 0)


async def _list(settings: DatabaseSettings, limit: int, after: str | None) -> Sequence[Override]:
    async with open_log(settings) as reader:
        return await collect(partial(read_overrides, reader), parse_cursor, limit, after)


def _line(one: Override) -> str:
    if one.kind is OverrideKind.ERASED:
        return (
            f"{one.time:%Y-%m-%d %H:%M:%S}  person {(one.user_digest or '')[:12]}  erased by "
            f"{shown(one.requested_by)}: {shown(one.reason)}  ({_progress(one)})"
        )
    if one.row is not None:
        decree = "retracted" if one.kind is OverrideKind.RETRACTED else "retraction revoked"
        return (
            f"{one.time:%Y-%m-%d %H:%M:%S}  row {one.row}  {decree} by {shown(one.requested_by)}: "
            f"{shown(one.reason)}  ({_effect_on_row(one)})"
        )
    decree = "adopted as a root" if one.kind is OverrideKind.ADOPTED else "adoption revoked"
    missing = "" if one.in_topic else "; not read from its topic"
    return (
        f"{one.time:%Y-%m-%d %H:%M:%S}  {shown(one.job or '')}  {decree} by {shown(one.requested_by)}: "
        f"{shown(one.reason)}  ({_effect(one)}{missing})"
    )


def _progress(one: Override) -> str:
    """Of an erasure."""
    state = "under way" if one.state is OverrideState.ERASING else "in effect"
    return f"{state}, {one.rows or 0:,} rows erased"


def _effect_on_row(one: Override) -> str:
    """Of a retraction or its revocation."""
    if one.state is OverrideState.WAITING:
        return "not applied yet"
    if one.state is OverrideState.IN_EFFECT:
        return "in effect, the event has not come" if one.rows == 0 else "in effect"
    return _effect(one)


def _effect(one: Override) -> str:
    at = "" if one.ended_at is None else f"{one.ended_at:%Y-%m-%d %H:%M:%S}"
    match one.state:
        case OverrideState.IN_EFFECT if one.rows is None:
            return "in effect"
        case OverrideState.IN_EFFECT:
            more = "or more " if one.rows == COUNTED else ""
            return f"in effect on {one.rows:,} {more}rows"
        case OverrideState.LAPSED:
            return f"lapsed: the job was seen at {at}"
        case OverrideState.REVOKED:
            return f"revoked by {shown(one.ended_by or '')} at {at}"
    return f"overruled by {shown(one.ended_by or '')} at {at}"
