"""`python -m simulation`."""

import typer

from simulation.cli import simulate

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(simulate)
app()
