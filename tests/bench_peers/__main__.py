"""The command: `python -m bench_peers`, as `make bench-peers` calls it."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.drain import DrainError
from bench.servers import own_servers
from bench.verdict import conclude, give_up, keep
from bench_peers.outcome import MissingPeerError
from bench_peers.plot import plot
from bench_peers.report import as_json, lines, markdown, missed, write, wrong
from bench_peers.run import KEYS, Plan, measure
from llamalog_service.domain.errors import LlamalogError
from llamalog_tools.devstack import StackOptions

_PLOT = "peers.svg"

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


def main(
    *,
    albums: Annotated[int, typer.Option(min=1, help="The backlog: about 34 events an album.")] = 3000,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds, each with every contender.")] = 3,
    only: Annotated[str, typer.Option(help="The contenders, with commas between them.")] = ",".join(KEYS),
    require: Annotated[
        bool, typer.Option("--require", help="A contender that cannot be had is an error, not left out.")
    ] = False,
    warm_up: Annotated[int, typer.Option(min=0, help="Drains that warm a JVM.")] = 2,
    tutorial: Annotated[int, typer.Option(min=1, help="Messages for the tutorial's service.")] = 2000,
    runs: Annotated[int, typer.Option(min=1, help="Runs for data-rentgen, two events each.")] = 10_000,
    runs_with_datasets: Annotated[int, typer.Option(min=1, help="Likewise, with datasets.")] = 2_000,
    write_to: Annotated[
        Path | None, typer.Option(help=f"The document that gets the table, with {_PLOT} beside it.")
    ] = None,
    plot_to: Annotated[Path | None, typer.Option("--plot", help="Write the plot to this file.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-peers"),
) -> None:
    """Measure the service beside its alternatives, the I/O floor and COPY, in alternating rounds.

    Exit code 1: a bar was missed; 2: the bench could not run; 3: a contender wrote something wrong.
    """
    chosen = only.split(",")
    if unknown := set(chosen) - set(KEYS):
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(KEYS)}.")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = data_dir.absolute()
    plan = Plan(
        albums=albums,
        repeat=repeat,
        only=chosen,
        require=require,
        warm_up=warm_up,
        tutorial=tutorial,
        runs=runs,
        runs_with_datasets=runs_with_datasets,
        cache=StackOptions.from_environment().cache,
    )
    try:
        with own_servers(folder, progress.print) as servers:
            measured = asyncio.run(measure(servers, plan, folder=folder, notify=progress.print))
    except (LlamalogError, DrainError, MissingPeerError) as error:
        give_up(progress, "bench-peers", error)
    print(markdown(measured, None))
    keep(as_json(measured), json)
    keep(plot(lines(measured)), plot_to)
    differing = list(wrong(measured))
    if write_to is not None and not differing:
        write_to.with_name(_PLOT).write_text(plot(lines(measured)))
        write(measured, write_to, _PLOT)
    conclude(
        console,
        wrong=differing,
        missed=missed(measured),
        met="Every contender wrote what it was given; the bars are met.",
    )


typer.run(main)
