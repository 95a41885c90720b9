"""`llamalog producers`: who has published the events of the log."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from llamalog_service.bootstrap import open_log
from llamalog_service.cli.options import Json
from llamalog_service.cli.rendering import NO_PRODUCER, NOT_KEPT, format_time
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.queries.counts import ProducerCounts, read_producers
from llamalog_service.queries.paging import MAX_LIMIT
from llamalog_service.settings import DatabaseSettings
from llamalog_service.telemetry.logging import printable

Most = Annotated[int, typer.Option("--limit", min=1, max=MAX_LIMIT, help="At most so many producers.")]


def producers(limit: Most = 50, as_json: Json = False) -> None:
    """Count the rows by producer, with the time of its last event; those of the most rows first.

    Every row of the log is read once. `llamalog logs --producer` has the rows of one, `llamalog dead-letters
    list --producer` what of it was refused.
    """
    found = run(_read(read_database_settings(), limit))
    if as_json:
        print_json(found)
    else:
        console.print(_table(found))


async def _read(settings: DatabaseSettings, limit: int) -> ProducerCounts:
    async with open_log(settings) as reader:
        return await read_producers(reader, limit=limit)


def _table(found: ProducerCounts) -> Table:
    table = Table(box=None, header_style="")
    table.add_column("producer", overflow="fold")
    table.add_column("rows", justify="right", style="bold", no_wrap=True)
    table.add_column("last event, UTC", no_wrap=True)
    for one in found.producers:
        table.add_row(
            Text(printable(one.producer)), f"{one.rows:,}", Text(format_time(one.last_event_at), "dim")
        )
    if found.are_more:
        table.add_row(Text("… more; --limit shows them", "yellow"), "", "")
    for reason, rows in ((NO_PRODUCER, found.legacy_rows), (NOT_KEPT, found.not_kept)):
        if rows:
            table.add_row(Text(reason, "dim"), f"{rows:,}", "")
    return table
