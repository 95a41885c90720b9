"""`llamalog-dev up`: everything on one's own machine, with the sample catalogue going through it."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from llamalog_service.cli.runtime import console, exit_on_error, read_settings, run, signals_as_interrupts
from llamalog_service.settings import Settings
from llamalog_tools.cli.children import Children
from llamalog_tools.cli.options import Albums, Bad, Duplicates, Late, Seed
from llamalog_tools.cli.show import Stage, show
from llamalog_tools.demo.publish import Sample
from llamalog_tools.devstack import GivenPostgres, LocalStack

_WATCH_SECONDS = 0.5

Data = Annotated[Path, typer.Option(help="Folder for the data and the logs; delete it to begin anew.")]


def up(  # noqa: PLR0917 -- typer calls it by name
    data: Data = Path(".llamalog"),
    albums: Albums = 68,
    late: Late = 0.05,
    duplicates: Duplicates = 0.01,
    bad: Bad = 0.005,
    seed: Seed = 7,
) -> None:
    """Start PostgreSQL, Kafka, the consumers and the API here, play the sample catalogue, show the outcome.

    Runs until Ctrl-C. A second start works on what the first left.
    """
    sample = Sample(albums, late, duplicates, bad, seed)
    try:
        with signals_as_interrupts(), exit_on_error():
            _run_until_stopped(data, sample)
    except KeyboardInterrupt:
        say(f"Everything has stopped. The data stays in {data}.")


def _run_until_stopped(data: Path, sample: Sample) -> None:
    with LocalStack(data, say=say) as stack:
        settings = _settings_for(stack)
        with Children(data, settings, say) as children:
            try:
                run(_watched(stack, children, settings, data, sample))
            finally:
                say("\nStopping: first the API and the consumers, then Kafka, then PostgreSQL.")
                _stop_at_once_if_asked_again()


def _settings_for(stack: LocalStack) -> Settings:
    """The settings of the local stack; what it does not decide is read as always."""
    decided: dict[str, object] = {"database_url": stack.postgres.url, "kafka": stack.kafka.bootstrap}
    if not isinstance(stack.postgres, GivenPostgres):
        decided["database_password_file"] = None
    if not stack.kafka.durable:
        decided["kafka_durable"] = False
    return read_settings(**decided)


async def _watched(
    stack: LocalStack, children: Children, settings: Settings, data: Path, sample: Sample
) -> None:
    """Show what there is to show, and stay, until interrupted or one of the processes ends by itself."""

    async def watch() -> None:
        while True:
            stack.check_running()
            children.check_running()
            await asyncio.sleep(_WATCH_SECONDS)

    watching = asyncio.create_task(watch())
    showing = asyncio.create_task(show(Stage(stack, children, settings, data, say), sample))
    try:
        await asyncio.wait({watching, showing}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (watching, showing):
            if task.done():
                task.result()
    finally:
        await end(watching, showing)


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they are gone: Kafka's client now and then swallows a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_WATCH_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def _stop_at_once_if_asked_again() -> None:
    """From here on a second Ctrl-C kills this process; the kernel ends what it started."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def say(line: str) -> None:
    """Print a line for people as it stands."""
    console.print(line, markup=False, soft_wrap=True)
