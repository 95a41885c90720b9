"""The command: `python -m bench_backfill`, as `make bench-backfill` calls it."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from bench.verdict import conclude, give_up, keep
from bench_backfill.backfill import BackfillBenchError
from bench_backfill.report import as_json, figures, show
from bench_backfill.run import Traffic, measure
from llamalog_service.domain.errors import LlamalogError
from llamalog_tools.devstack.postgres import LocalPostgres

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


def main(
    *,
    rows: Annotated[int, typer.Option(min=100)] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Backfills, each between two UPDATEs.")] = 3,
    live: Annotated[float, typer.Option(min=0.1, help="Live batches of 10 rows a second.")] = 5.0,
    quiet: Annotated[float, typer.Option(help="Seconds of live traffic alone, a round.")] = 15.0,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the server's data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-backfill"),
) -> None:
    """Measure a commanded backfill under live inserts against one plain UPDATE of the same rows.

    Exit code 1: the bar was missed; 2: the bench could not run; 3: rows differ from the oracle.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder = data_dir.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    postgres = LocalPostgres(folder / "postgres", fast=False, notify=progress.print)
    try:
        postgres.start()
        measured = asyncio.run(
            measure(
                postgres,
                rows=rows,
                repeat=repeat,
                traffic=Traffic(live, quiet),
                folder=folder,
                notify=progress.print,
            )
        )
    except (LlamalogError, BackfillBenchError) as error:
        give_up(progress, "bench-backfill", error)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    summary = figures(measured)
    show(measured, summary, console)
    keep(as_json(measured, summary), json)
    conclude(
        console,
        wrong=measured.wrong,
        missed=list(summary.missed()),
        met="Every row is as in the oracle; the bar is met.",
    )


typer.run(main)
