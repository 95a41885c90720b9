"""The command: `python -m bench_queries`, as `make bench-queries` calls it."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from bench.drain import DrainError
from bench.servers import own_servers
from bench.verdict import WRONG, conclude, give_up, keep
from bench_queries.over_http import ApiError
from bench_queries.report import as_json, figures, missed, show
from bench_queries.run import Plan, WrongAnswerError, measure
from harness.big_log import BigLog
from llamalog_service.domain.errors import LlamalogError

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
progress = Console(stderr=True, highlight=False, style="dim")


def main(
    *,
    albums: Annotated[int, typer.Option(min=10, help="Nine rows each.")] = 110_000,
    big_tree: Annotated[int, typer.Option(min=100, help="Rows under one root.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=2, help="How often every query is run in every way.")] = 100,
    backlog: Annotated[int, typer.Option(min=1, help="Albums by which the ingest is measured.")] = 1_000,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data: on a real disk, made anew, removed in the end.")
    ] = Path(".llamalog/bench-queries"),
) -> None:
    """Measure the questions to a log of a million rows while events come in at half the ingest's rate.

    Exit code 1: a bar was missed; 2: the bench could not run; 3: two ways found different rows.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = data_dir.absolute()
    plan = Plan(BigLog(albums=albums, big_root_rows=big_tree, odd=1 + albums // 11), rounds, backlog)
    try:
        with own_servers(folder, progress.print) as servers:
            measured = asyncio.run(measure(servers, plan, folder, progress.print))
    except (LlamalogError, DrainError, ApiError) as error:
        give_up(progress, "bench-queries", error)
    except WrongAnswerError as error:
        progress.print(f"WRONG: {error}", style="red", soft_wrap=True, markup=False)
        raise typer.Exit(WRONG) from None
    summary = figures(measured)
    show(measured, summary, console)
    keep(as_json(measured, summary), json)
    conclude(console, missed=list(missed(measured, summary)), met="The bars are met.")


typer.run(main)
