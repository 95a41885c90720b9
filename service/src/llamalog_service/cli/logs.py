"""`llamalog logs`: rows of the log by filter, and followed as they are written."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer

from llamalog_service.bootstrap import open_log
from llamalog_service.cli.options import (
    Json,
    OfCategory,
    OfEntity,
    OfError,
    OfJob,
    OfOperation,
    OfOrigin,
    OfProducer,
    OfRoot,
    OfSource,
    OfStatus,
    OfTrace,
    OfType,
    OfUser,
    OnlyRoots,
    OnlyUnknown,
    Searched,
    Since,
    Until,
)
from llamalog_service.cli.rendering import row_line
from llamalog_service.cli.runtime import (
    TIMEOUT,
    console,
    error_console,
    interruptible,
    print_json,
    read_database_settings,
    read_settings,
    run,
)
from llamalog_service.kafka.following import open_provenance_follower
from llamalog_service.live_feed.following import follow_log
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.logs import LogFilter, read_logs
from llamalog_service.queries.paging import parse_cursor, read_pages
from llamalog_service.queries.rows import LogRow
from llamalog_service.settings import DatabaseSettings

Newest = Annotated[int, typer.Option("--limit", min=0, max=1_000_000, help="How many of the newest rows.")]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Continue with rows as they are written, until Ctrl-C.")
]


def logs(
    *,
    category: OfCategory = None,
    status: OfStatus = None,
    entity_type: OfType = None,
    entity_id: OfEntity = None,
    operation: OfOperation = None,
    source: OfSource = None,
    user: OfUser = None,
    job: OfJob = None,
    root: OfRoot = None,
    origin: OfOrigin = None,
    since: Since = None,
    until: Until = None,
    error: OfError = None,
    roots_only: OnlyRoots = False,
    unknown_origin_only: OnlyUnknown = False,
    producer: OfProducer = None,
    trace: OfTrace = None,
    q: Searched = None,
    limit: Newest = 50,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """List the newest rows of the log that match all filters, the newest at the end.

    With --follow it continues with rows as they are written, and rows whose root is corrected come again.
    """
    given = locals()
    wanted = LogFilter(**{name: given[name] for name in LogFilter.__struct_fields__})
    show = _show_json if as_json else _show
    if follow:
        _follow(wanted, limit, show, brief=not as_json)
    else:
        rows = run(_read(read_database_settings(), wanted, limit, brief=not as_json))
        for row in rows:
            show(row)
        if not rows and error_console.is_terminal:
            error_console.print("No row matches.", style="dim")


def _follow(wanted: LogFilter, limit: int, show: Callable[[LogRow], None], *, brief: bool) -> None:
    settings = read_settings()

    async def read() -> Sequence[LogRow]:
        return await _read(settings, wanted, limit, brief=brief)

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # `_print_away` reports an outage once
    following = follow_log(
        partial(open_provenance_follower, settings),
        wanted,
        read=read,
        show=show,
        on_availability=_print_away,
        timeout=TIMEOUT,
    )
    with interruptible():
        run(following)


async def _read(
    settings: DatabaseSettings, wanted: LogFilter, limit: int, *, brief: bool
) -> Sequence[LogRow]:
    async with open_log(settings) as reader:
        return await _newest(reader, wanted, limit, brief=brief)


async def _newest(reader: Reader, wanted: LogFilter, limit: int, *, brief: bool) -> Sequence[LogRow]:
    """The newest matching rows, the newest at the end."""
    rows: list[LogRow] = []
    with error_console.status("Looking …") as status:
        async for page in read_pages(partial(read_logs, reader, wanted, brief=brief), parse_cursor, limit):
            rows += page.items
            if page.searched_to is not None:
                status.update(f"Looking … back to {page.searched_to:%Y-%m-%d %H:%M} so far")
    return rows[::-1]


def _show(row: LogRow) -> None:
    console.print(row_line(row), soft_wrap=True)


def _show_json(row: LogRow) -> None:
    print_json(row, one_line=True)


def _print_away(reason: str | None) -> None:
    error_console.print(
        "Kafka is back." if reason is None else f"Waiting for Kafka: {reason}",
        style="yellow",
        markup=False,
        soft_wrap=True,
    )
