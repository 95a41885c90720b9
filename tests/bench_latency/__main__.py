"""The command: `python -m bench_latency`, as `make bench-latency` calls it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.drain import DrainError
from bench.servers import own_servers
from bench.verdict import conclude, give_up, keep
from bench_latency.report import as_json, figures, show
from bench_latency.run import Plan, measure
from llamalog_service.domain.errors import LlamalogError

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


def main(
    *,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Messages a second; else half of what a drain manages.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long events are timed.")] = 60.0,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before, whose events do not count.")] = 5.0,
    albums: Annotated[int, typer.Option(min=1, help="The drain: about 34 events an album.")] = 3000,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-latency"),
) -> None:
    """Measure how soon a sent event is a committed row, and its provenance record at a consumer.

    Exit code 1: a bar was missed; 2: the bench could not run; 3: what the consumers wrote is wrong.
    """
    folder = data_dir.absolute()
    try:
        with own_servers(folder, progress.print) as servers:
            plan = Plan(rate, albums, seconds, warm_up)
            measured = asyncio.run(measure(servers, plan, logs=folder, notify=progress.print))
    except (LlamalogError, DrainError) as error:
        give_up(progress, "bench-latency", error)
    summary = figures(measured)
    show(measured, summary, console)
    keep(as_json(measured, summary), json)
    conclude(
        console,
        wrong=measured.found.differences,
        missed=list(summary.missed(measured.late)),
        met="Table, dead letters and provenance are as in the fold; the bars are met.",
    )


typer.run(main)
