"""The command: `python -m bench`, as `make bench` calls it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.backlog import make_backlog
from bench.drain import DrainError
from bench.profiling import profile_drain
from bench.report import as_json, figures, show
from bench.run import measure
from bench.servers import own_servers
from bench.verdict import conclude, give_up, keep
from llamalog_service.domain.errors import LlamalogError

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


def main(
    albums: Annotated[int, typer.Option(min=1, help="The backlog: about 34 events an album.")] = 3000,
    repeat: Annotated[
        int, typer.Option(min=1, help="Drains, each after the I/O floor and between two rounds of COPY.")
    ] = 3,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="Instead of measuring: sample one drain, write where the consumer's time goes."),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench"),
) -> None:
    """Measure the provenance consumer against COPY of the same rows and the I/O floor, on the same servers.

    Exit code 1: a bar was missed; 2: the bench could not run; 3: what the consumers wrote is wrong.
    """
    folder = data_dir.absolute()
    try:
        with own_servers(folder, progress.print) as servers:
            if profile is not None:
                profile.parent.mkdir(parents=True, exist_ok=True)
                samples = profile.absolute().with_suffix(".folded")
                report = asyncio.run(
                    profile_drain(servers, make_backlog(albums), samples, logs=folder, notify=progress.print)
                )
                profile.write_text(report)
                progress.print(f"Written: {profile}, and the samples for a flame graph: {samples}")
                return
            measured = asyncio.run(
                measure(servers, albums=albums, repeat=repeat, logs=folder, notify=progress.print)
            )
    except (LlamalogError, DrainError) as error:
        give_up(progress, "bench", error)
    summary = figures(measured)
    show(measured, summary, console)
    keep(as_json(measured, summary), json)
    conclude(
        console,
        wrong=[*measured.wrong, *(line for one in measured.found for line in one.differences)],
        missed=list(summary.missed()),
        met="Table, dead letters and provenance are as in the fold; the bars are met.",
    )


typer.run(main)
