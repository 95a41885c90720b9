"""The command: `python -m bench_rebuild`, as `make bench-rebuild` calls it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.drain import DrainError
from bench.servers import own_servers
from bench.verdict import conclude, give_up, keep
from bench_rebuild.rebuild import RebuildBenchError
from bench_rebuild.report import as_json, figures, show
from bench_rebuild.run import measure
from llamalog_service.domain.errors import LlamalogError

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


def main(
    *,
    events: Annotated[int, typer.Option(min=1000)] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Rebuilds, each between two COPYs.")] = 3,
    live: Annotated[bool, typer.Option(help="In the end also beside live traffic.")] = True,
    quiet: Annotated[float, typer.Option(min=1, help="Seconds of live traffic alone.")] = 15.0,
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Live messages a second; else half of what the consumers can do."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-rebuild"),
) -> None:
    """Measure `llamalog rebuild` into an empty database against COPY of the same rows plus the same indexes.

    Exit code 1: a bar was missed; 2: the bench could not run; 3: what was rebuilt is wrong.
    """
    folder = data_dir.absolute()
    try:
        with own_servers(folder, progress.print) as servers:
            measured = asyncio.run(
                measure(
                    servers,
                    events=events,
                    repeat=repeat,
                    quiet=quiet if live else None,
                    rate=rate,
                    folder=folder,
                    notify=progress.print,
                )
            )
    except (LlamalogError, DrainError, RebuildBenchError) as error:
        give_up(progress, "bench-rebuild", error)
    summary = figures(measured)
    show(measured, summary, console)
    keep(as_json(measured, summary), json)
    conclude(
        console,
        wrong=measured.wrong,
        missed=list(summary.missed()),
        met="Every row is as in the fold, two rebuilds are alike, and the bars are met.",
    )


typer.run(main)
