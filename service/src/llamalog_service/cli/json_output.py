"""JSON to standard output, for `--json`."""

from typing import Any

import msgspec
import typer

from llamalog_service.cli.running import stop_writing


def print_json(value: Any, *, one_line: bool = False) -> None:
    """Print what msgspec can encode, for people too, or in one line, for a stream of them."""
    encoded = msgspec.json.encode(value)
    try:
        typer.echo(encoded if one_line else msgspec.json.format(encoded, indent=2))
    except BrokenPipeError:
        stop_writing()
