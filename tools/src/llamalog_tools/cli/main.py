"""The command `llamalog-dev`: what a developer runs beside the service."""

import typer

from llamalog_tools.cli.simulate import simulate
from llamalog_tools.cli.up import up

app = typer.Typer(
    name="llamalog-dev", no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False
)
app.command()(up)
app.command()(simulate)


@app.callback()
def llamalog_dev() -> None:
    """A local stack with a sample catalogue, for development and demonstrations."""
