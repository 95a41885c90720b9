"""Shared by all commands: settings, consoles, JSON output, signals, and errors that end as exit codes.

A command's failure is a sentence on standard error and a code of `ExitCode`, never a traceback.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn, TypeVar

import msgspec
import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.settings import DatabaseSettings, Settings, setting_name
from llamalog_service.telemetry.logging import configure_logs, printable

Result = TypeVar("Result")
AnySettings = TypeVar("AnySettings", bound=DatabaseSettings)

SOURCE: Final = "/llamalog/cli"
"""The CloudEvents source of the messages that a command publishes."""

TIMEOUT: Final = 10.0
"""Seconds that a command which ends waits for Kafka."""

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""

BROKEN_PIPE: Final = 141
"""The exit code when the reader of the output has gone (`| head`), as shells have it."""

_WIDTH_WITHOUT_TERMINAL: Final = 200
"""Columns where no terminal gives them: lines for a file or a program are hardly broken."""


class _Output(Console):
    """Standard output; ends the command silently when its reader has gone."""

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        exit_on_broken_pipe()


console = _Output(
    highlight=False,
    width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_WITHOUT_TERMINAL,
)
error_console = Console(stderr=True, highlight=False)


def exit_on_broken_pipe() -> NoReturn:
    """End the process with `BROKEN_PIPE`; buffered output is discarded."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(BROKEN_PIPE)


def print_line(text: str) -> None:
    """Print a line to standard output: unwrapped, without markup, control characters replaced."""
    console.print(printable(text), markup=False, soft_wrap=True)


def print_json(value: Any, *, one_line: bool = False) -> None:
    """Print a value that msgspec can encode: indented, or in one line as an element of a stream."""
    encoded = msgspec.json.encode(value)
    try:
        typer.echo(encoded if one_line else msgspec.json.format(encoded, indent=2))
    except BrokenPipeError:
        exit_on_broken_pipe()


def print_error(source: str, text: str) -> None:
    """Print a line to standard error: the source in red, the text without markup."""
    error_console.print(f"[red]{source}:[/]", end=" ")
    error_console.print(text, markup=False, soft_wrap=True)


def read_settings(**known: Any) -> Settings:
    """The settings of this process, its logs configured by them.

    A setting that is missing or wrong ends the process with code 2.

    Args:
        known: settings that are not to be read.
    """
    return _read(Settings, known)


def read_database_settings() -> DatabaseSettings:
    """The settings of a command that needs PostgreSQL alone; otherwise as `read_settings`."""
    return _read(DatabaseSettings, {})


def _read(wanted: type[AnySettings], known: Mapping[str, Any]) -> AnySettings:
    try:
        settings = wanted.model_validate(known)
    except ValidationError as error:
        for problem in error.errors():
            field = str(problem["loc"][0])
            print_error(setting_name(field), _describe(field, problem["type"], problem["msg"]))
        raise typer.Exit(ExitCode.SETTINGS) from None
    configure_logs(settings.log_format, settings.log_level)
    return settings


def _describe(field: str, kind: str, message: str) -> str:
    if kind == "missing":
        return f"is not set: {Settings.model_fields[field].description}"
    return message.removeprefix("Value error, ")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a command's asynchronous work; its failure ends the process with a code of `ExitCode`."""
    with exit_on_error(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with the sentence and the code of a `LlamalogError` raised within."""
    try:
        yield
    except LlamalogError as error:
        exit_with(error)


def exit_with(error: LlamalogError) -> NoReturn:
    """End the process with an error's sentence and code."""
    print_error("llamalog", str(error))
    raise typer.Exit(error.exit_code) from None


@contextmanager
def interruptible(sentence: str | None = None) -> Iterator[None]:
    """End the process with `INTERRUPTED`, and a sentence, on Ctrl-C, SIGTERM and a closed terminal."""
    try:
        with signals_as_interrupts():
            yield
    except KeyboardInterrupt:
        if sentence is not None:
            print_error("llamalog", sentence)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and a closed terminal end the process as Ctrl-C does, also where that was set to be ignored."""

    def interrupt(_: int, __: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: interrupt,
        signal.SIGHUP: interrupt,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
