"""Run a command's work so that a failure becomes a sentence and an exit code, never a traceback."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.settings import DatabaseSettings, Settings, setting_name
from llamalog_service.telemetry.logging import configure_logs

Result = TypeVar("Result")
AnySettings = TypeVar("AnySettings", bound=DatabaseSettings)

TIMEOUT = 10.0
"""Seconds that a command which ends waits for Kafka."""

NOBODY_READS = 141
"""The code of a command whose output nobody reads any more (`| head`), as shells tell it."""

_UNSEEN = 200
"""Columns where no terminal says how many there are: what goes to a file or a program is hardly broken."""


class _Output(Console):
    """Standard output; ends the command without a word when its reader has had enough."""

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        stop_writing()


out = _Output(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _UNSEEN)
errors = Console(stderr=True, highlight=False)


def stop_writing() -> NoReturn:
    """End the process with `NOBODY_READS`; what is buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(NOBODY_READS)


def read_settings(**known: Any) -> Settings:
    """The settings of this process, its logs configured by them.

    A setting that is missing or wrong ends the process with code 2.

    Args:
        known: settings that are not to be read.
    """
    return _read(Settings, known)


def read_database_settings() -> DatabaseSettings:
    """The settings of a process that speaks to PostgreSQL alone; otherwise as `read_settings`."""
    return _read(DatabaseSettings, {})


def _read(wanted: type[AnySettings], known: Mapping[str, Any]) -> AnySettings:
    try:
        settings = wanted.model_validate(known)
    except ValidationError as error:
        for problem in error.errors():
            field = str(problem["loc"][0])
            say_error(setting_name(field), _what_is_wrong(field, problem["type"], problem["msg"]))
        raise typer.Exit(ExitCode.SETTINGS) from None
    configure_logs(settings.log_format, settings.log_level)
    return settings


def _what_is_wrong(field: str, kind: str, message: str) -> str:
    meaning = Settings.model_fields[field].description
    if kind == "missing":
        return f"is not set: {meaning}"
    return message.removeprefix("Value error, ")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a command's asynchronous work; its failure ends the process with a code of `ExitCode`."""
    with failures_told(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def failures_told() -> Iterator[None]:
    """An error of ours within ends the process with its sentence and its code."""
    try:
        yield
    except LlamalogError as error:
        give_up(error)


def give_up(error: LlamalogError) -> NoReturn:
    """End the process with an error's sentence."""
    say_error("llamalog", str(error))
    raise typer.Exit(error.exit_code) from None


def say_error(who: str, what: str) -> None:
    """Print to standard error, whatever brackets the words hold."""
    errors.print(f"[red]{who}:[/]", end=" ")
    errors.print(what, markup=False, soft_wrap=True)
