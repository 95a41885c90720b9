"""Commands of `llamalog` run in this process: the same words, a second of imports spared."""

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, current_thread, main_thread
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import typer
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from harness.started_commands import Ended, command_module
from llamalog_service.cli import app
from llamalog_service.cli.runtime import console, error_console
from llamalog_service.settings import Settings
from llamalog_tools.cli import app as tools

_ONE_AT_A_TIME: Final = Lock()
"""A command has standard output and the variables of its environment to itself."""


class Commands:
    """Runs commands under the settings of a test, each to its end, in a thread of its own.

    Args:
        words: what every command begins with.
    """

    def __init__(self, settings: Settings, *words: str) -> None:
        self._environment = settings.as_environment() | {"COLUMNS": "200"}
        self._words = words

    async def done(self, *words: str) -> str:
        """The output of a command that ended well."""
        return await self._ended(0, *words)

    async def refused(self, *words: str, code: int = 1) -> str:
        """The output of a command that ended with a code."""
        return await self._ended(code, *words)

    async def json_lines(self, *words: str) -> list[Any]:
        """The JSON lines that a command printed."""
        return [json.loads(line) for line in (await self._ended(0, *words, "--json")).splitlines()]

    async def _ended(self, code: int, *words: str) -> str:
        result = await asyncio.to_thread(self._invoke, [*self._words, *words])
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        return result.output

    def _invoke(self, words: list[str]) -> Result:
        return invoked(words, self._environment)


async def llamalog_here(*words: str, environment: Mapping[str, str]) -> Ended:
    """Run a command to its end, as `started_commands.llamalog` does in a process of its own.

    Its log lines follow what else it wrote to standard error.
    """
    result, logged = await asyncio.to_thread(_invoked, words, environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    lines = "".join(json.dumps(line, default=str) + "\n" for line in logged)
    return Ended(result.exit_code, result.stdout, result.stderr + lines)


def invoked(words: Sequence[str], environment: Mapping[str, str]) -> Result:
    """A command of the service or of the tools, run in this process with variables besides its own."""
    return _invoked(words, environment)[0]


def _invoked(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Result, Sequence[Any]]:
    with _ONE_AT_A_TIME:
        error_console.width = console.width = 200  # what they found when they were made may be narrower
        # The test's own log is not to be bent to streams that are closed when the command ends.
        with (
            patch("llamalog_service.cli.runtime.configure_logs"),
            capture_logs() as logged,
            _no_signals_elsewhere(),
        ):
            return CliRunner().invoke(_app_of(words[0]), list(words), env=dict(environment)), logged


@contextmanager
def _no_signals_elsewhere() -> Iterator[None]:
    """Python lets the main thread alone handle signals; to a command in another one none is sent."""
    if current_thread() is main_thread():
        yield
        return
    unhandled = SimpleNamespace(**vars(signal) | {"signal": lambda _, handler: handler})
    with patch("llamalog_service.cli.runtime.signal", unhandled):
        yield


def _app_of(command: str) -> typer.Typer:
    return tools if command_module(command) == "llamalog_tools" else app
