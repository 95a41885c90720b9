"""Run a command's work so that a failure becomes a sentence and an exit code, never a traceback."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.logs import configure_logs
from llamalog_service.settings import Settings

Result = TypeVar("Result")

errors = Console(stderr=True, highlight=False)


def read_settings() -> Settings:
    """The settings of this process, its logs configured by them."""
    try:
        settings = Settings.model_validate({})
    except ValidationError as error:
        for problem in error.errors():
            name = "LLAMALOG_" + "_".join(str(part) for part in problem["loc"]).upper()
            errors.print(f"[red]{name}[/]: {problem['msg']}", soft_wrap=True)
        raise typer.Exit(2) from None
    configure_logs(settings.log_format, settings.log_level)
    return settings


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a command's asynchronous work; its failure ends the process with code 1."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except LlamalogError as error:
        give_up(error)


def give_up(error: LlamalogError) -> NoReturn:
    """End the process with an error's sentence."""
    errors.print(f"[red]llamalog:[/] {error}", soft_wrap=True)
    raise typer.Exit(1) from None
