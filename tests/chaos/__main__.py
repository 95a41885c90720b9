"""The command: `python -m chaos`, as `make chaos` calls it."""

import logging
import shutil
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chaos.fault import Fault
from chaos.faults import FAULTS, RECREATED_UNDER_POSITIONS
from chaos.plays import RATE, Plays
from chaos.report import show, write
from chaos.run import Survived
from llamalog_service.domain.errors import LlamalogError

WRONG = 1
FAILED = 2
_EVERY = (*FAULTS, RECREATED_UNDER_POSITIONS)

console = Console(highlight=False)
progress_console = Console(stderr=True, highlight=False)


def main(
    only: Annotated[list[str] | None, typer.Option(help="A fault's name; may be given often.")] = None,
    messages: Annotated[int, typer.Option(min=100, help=f"Published meanwhile, {RATE} a second.")] = 6000,
    seed: Annotated[int | None, typer.Option(help="Of loads and dice.")] = None,
    write_to: Annotated[Path | None, typer.Option(help="The document that gets the table.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="For the servers' data; made anew, and left where something is wrong.")
    ] = Path(".llamalog/chaos"),
) -> None:
    """Break things under load, on PostgreSQL and Apache Kafka, and hold what becomes of it against the fold.

    Exit code 1: something was lost, doubled or wrong; 2: it could not run, or did not come to rest.
    """
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # the load's own client, while the broker is away
    chosen = _chosen(only)
    seed = SystemRandom().randrange(2**32) if seed is None else seed
    progress_console.print(f"seed {seed}")
    folder = data_dir.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    survived: list[Survived] = []
    try:
        with _progress() as progress:
            task = progress.add_task("", total=len(chosen))
            plays = Plays(
                folder,
                messages,
                seed,
                notify=progress.console.print,
                begin=lambda fault: progress.update(task, description=fault.what),
            )
            for one in plays.play(chosen):
                survived.append(one)
                for line in one.wrong[:10]:
                    progress.console.print(f"WRONG, {one.fault.name}: {line}", style="red", soft_wrap=True)
                if write_to is not None:
                    stack = f"{plays.kafka}, PostgreSQL; {messages:,} messages in {messages / RATE:.0f} s"
                    write(one, write_to, stack, _EVERY)
                progress.advance(task)
    except (LlamalogError, TimeoutError) as error:
        progress_console.print(f"chaos: {error} The logs are in {folder}.", style="red", soft_wrap=True)
        raise typer.Exit(FAILED) from None
    show(survived, console)
    if any(one.wrong for one in survived):
        console.print(f"The logs are in {folder}.", style="red")
        raise typer.Exit(WRONG)
    shutil.rmtree(folder, ignore_errors=True)


def _chosen(only: list[str] | None) -> list[Fault]:
    names = {fault.name: fault for fault in _EVERY}
    unknown = sorted(set(only or ()) - names.keys())
    if unknown:
        raise typer.BadParameter(f"no such fault: {', '.join(unknown)}. There are: {', '.join(names)}.")
    return [names[name] for name in only] if only else list(_EVERY)


def _progress() -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=progress_console)


typer.run(main)
