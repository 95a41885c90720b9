"""The command behind `make simulate`."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from llamalog_service.bootstrap import tune_garbage_collector
from llamalog_tools.devstack.postgres import LocalPostgres
from simulation.databases import migrated_database
from simulation.planted import planted
from simulation.report import replay_command, story
from simulation.scenario import Scenario, draw_scenario
from simulation.shrink import shrink
from simulation.stage import Stage

_SEEDS_AT_ONCE = 10
_console = Console(highlight=False)


def simulate(  # noqa: PLR0917  # typer reads them by name
    seeds: Annotated[int, typer.Option(help="How many seeds to play.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Play this one alone, and report all of it.")] = None,
    messages: Annotated[str, typer.Option(help="Of its messages only these, by number.")] = "",
    faults: Annotated[str, typer.Option(help="Of its faults only these, by number.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes at once.")] = os.cpu_count() or 1,
    plant: Annotated[
        str, typer.Option(help="A fault to plant in the service, by its name in planted.py.")
    ] = "",
) -> None:
    """Play random histories under random faults; compare what is left with the fold."""
    with tempfile.TemporaryDirectory() as folder, _postgres(Path(folder)) as url:
        if seed is not None:
            raise typer.Exit(_play_one(url, seed, messages, faults, plant))
        raise typer.Exit(_play_many(url, range(first, first + seeds), jobs, plant))


def _play_one(url: str, seed: int, messages: str, faults: str, plant: str) -> int:
    _be_silent()
    whole = draw_scenario(seed)
    scenario = whole.keeping(_places(messages, list(whole.messages)), _places(faults, list(whole.faults)))
    with _stage(url, plant) as stage:
        played = stage.play(scenario)
    for line in played.trace:
        _console.print(line, markup=False)
    _console.print(story(scenario, played), markup=False)
    _console.print("[red]failed[/]" if played.wrong else "[green]as it must be[/]")
    return 1 if played.wrong else 0


def _play_many(url: str, seeds: range, jobs: int, plant: str) -> int:
    shares = [seeds[start : start + _SEEDS_AT_ONCE] for start in range(0, len(seeds), _SEEDS_AT_ONCE)]
    failed: list[int] = []
    steps = befallen = 0
    began = time.perf_counter()
    columns = (
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with (
        ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=_open_stage, initargs=(url, plant)
        ) as processes,
        Progress(*columns, console=_console) as progress,
    ):
        bar = progress.add_task("", total=len(seeds))
        for done in as_completed([processes.submit(_play_share, share) for share in shares]):
            for number, wrong, taken, faults in done.result():
                steps, befallen = steps + taken, befallen + faults
                if wrong:
                    failed.append(number)
                    progress.console.print(f"[red]seed {number}[/]: {wrong}", markup=True)
                progress.advance(bar)
    seconds = time.perf_counter() - began
    speed = f"{len(seeds) / seconds:.1f} a second"
    end = f"[red]{len(failed)} failed[/]: {sorted(failed)}" if failed else "[green]as the fold says[/]"
    _console.print(f"{len(seeds)} seeds, {steps} steps, {befallen} faults, {seconds:.0f} s ({speed}): {end}")
    if failed:
        _tell_of(url, min(failed), plant)
    return 1 if failed else 0


def _tell_of(url: str, seed: int, plant: str) -> None:
    """Shrink a seed that failed, and print how to play it again."""
    _be_silent()
    _console.print(f"making seed {seed} smaller …")
    whole = draw_scenario(seed)
    with _stage(url, plant) as stage:
        small, played = shrink(whole, stage.play)
    _console.print(story(small, played), markup=False)
    _console.print(
        f"[bold]{replay_command(small, whole)}[/]  (the whole of it: {replay_command(whole, whole)})"
    )


_stages = ExitStack()
_opened: list[Stage] = []
"""The one stage of a process: to migrate its database takes as long as to play some seeds."""


def _open_stage(url: str, plant: str) -> None:
    """Open the stage of this process; it is never closed, since its database goes with the server."""
    _be_silent()
    tune_garbage_collector()
    _opened.append(_stages.enter_context(_stage(url, plant)))


def _play_share(seeds: range) -> list[tuple[int, str, int, int]]:
    (stage,) = _opened
    return [_played(seed, stage, draw_scenario(seed)) for seed in seeds]


def _played(seed: int, stage: Stage, scenario: Scenario) -> tuple[int, str, int, int]:
    played = stage.play(scenario)
    return seed, played.wrong[0] if played.wrong else "", played.steps, len(played.befallen)


@contextmanager
def _stage(url: str, plant: str) -> Iterator[Stage]:
    with migrated_database(url) as database, Stage(database) as stage:
        if plant:
            with planted(plant):
                yield stage
        else:
            yield stage


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    server = LocalPostgres(folder / "postgres", fast=True)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def _places(listed: str, every: list[int]) -> list[int]:
    if not listed:
        return every
    return [] if listed == "none" else [int(place) for place in listed.split(",")]


def _be_silent() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
