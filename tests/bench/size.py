"""The cost of an event as the table grows: `make bench-size`.

Before each drain the table is given so many rows of a catalogue (`harness.big_log`), which the backlog does
not name. The smallest size is measured once more at the end: what differs between its two drains is the
machine's doing.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Annotated, NamedTuple

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from bench.backlog import Backlog, make_backlog
from bench.drain import Drained, DrainError
from bench.installation import new_installation
from bench.machine import load
from bench.run import Notify, drain_backlog
from bench.servers import Servers, durability, own_servers
from bench.verdict import conclude, give_up, keep
from harness.big_log import ROWS_AN_ALBUM, BigLog, fill_fast
from llamalog_service.domain.errors import LlamalogError

MOST_GROWTH = 1.2
"""CPU time of an event with the largest table, in those with the smallest."""

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


class Sized(NamedTuple):
    """A drain into a table that had rows.

    Attributes:
        rows: of the table, before.
        events: of the backlog.
        load: the machine's load of the last minute, afterwards.
        wrong: what the drain left otherwise than the fold.
    """

    rows: int
    events: int
    drained: Drained
    load: float
    wrong: list[str]

    @property
    def microseconds(self) -> dict[str, float]:
        """CPU time of an event, by process."""
        return {name: seconds * 1e6 / self.events for name, seconds in self.drained.cpu.items()}

    @property
    def cost(self) -> float:
        """CPU time of an event, in µs, of all processes."""
        return sum(self.microseconds.values())


async def measure(servers: Servers, backlog: Backlog, rows: int, *, logs: Path, notify: Notify) -> Sized:
    """Fill a table, have the backlog drained into it, and compare what came with the fold.

    Raises:
        DrainError: the drain did not come to an end.
    """
    async with new_installation(servers, f"size-{rows}") as installation:
        notify(f"Filling a table with {rows:,} rows.")
        connection = await asyncpg.connect(installation.database_url)
        try:
            log = BigLog(albums=max(1, rows // ROWS_AN_ALBUM), big_root_rows=0, odd=0)
            await fill_fast(connection, log)
            before = await connection.fetchval("SELECT count(*) FROM llama_logs")
        finally:
            await connection.close()
        played, drained, found = await drain_backlog(
            servers, installation, backlog, logs=logs, notify=notify, beside=before
        )
        sized = Sized(before, played.events, drained, load(), found.differences)
        notify(f"{before:,} rows: {sized.cost:.1f} µs of CPU time an event.")
        return sized


def growth(measured: list[Sized]) -> float:
    """The cost with the largest table, in the mean cost with the smallest."""
    smallest, largest = min(one.rows for one in measured), max(one.rows for one in measured)
    costs = {size: mean(one.cost for one in measured if one.rows == size) for size in (smallest, largest)}
    return costs[largest] / costs[smallest]


def _missed(measured: list[Sized]) -> Iterator[str]:
    if (found := growth(measured)) > MOST_GROWTH:
        yield f"An event costs {found:.2f} times as much with the largest table; {MOST_GROWTH} are allowed."


def _show(measured: list[Sized]) -> None:
    names = list(measured[0].microseconds)
    table = Table(title="CPU µs of an event, by the rows in the table", title_justify="left")
    for column in ("rows", "events/s", *names, "sum", "load"):
        table.add_column(column, justify="right")
    for one in measured:
        rate = one.events / one.drained.settled
        costs = (f"{one.microseconds[name]:.1f}" for name in names)
        table.add_row(f"{one.rows:,}", f"{rate:,.0f}", *costs, f"{one.cost:.1f}", f"{one.load:.1f}")
    console.print(table)
    console.print(f"The largest costs {growth(measured):.2f} times the smallest (bar: {MOST_GROWTH}).")


def main(
    rows: Annotated[
        list[int] | None, typer.Option(min=1, help="Rows in the table before a drain; once for each size.")
    ] = None,
    albums: Annotated[int, typer.Option(min=1, help="The backlog: about 34 events an album.")] = 3000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-size"),
) -> None:
    """Measure what an event costs with tables of 100,000, a million and ten million rows, or of other sizes.

    Exit code 1: the bar was missed; 2: the bench could not run; 3: what the consumers wrote is wrong.
    """
    sizes = sorted(rows or [100_000, 1_000_000, 10_000_000])
    folder = data_dir.absolute()
    backlog = make_backlog(albums)
    try:
        with own_servers(folder, progress.print) as servers:
            measured = [
                asyncio.run(measure(servers, backlog, size, logs=folder, notify=progress.print))
                for size in (*sizes, sizes[0])
            ]
            durable = asyncio.run(durability(servers.postgres))
    except (LlamalogError, DrainError) as error:
        give_up(progress, "bench-size", error)
    _show(measured)
    missed = list(_missed(measured))
    figures = {
        "drains": [one._asdict() | {"drained": one.drained._asdict(), "cost": one.cost} for one in measured],
        "growth": growth(measured),
        "durability": durable,
        "missed": missed,
    }
    keep(json.dumps(figures, indent=2), json_file)
    conclude(
        console,
        wrong=[line for one in measured for line in one.wrong],
        missed=missed,
        met="Tables, dead letters and provenance are as in the fold; the bar is met.",
    )


if __name__ == "__main__":
    typer.run(main)
