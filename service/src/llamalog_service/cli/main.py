"""The commands of `llamalog`, one module each."""

import typer

from llamalog_service.cli.running import read_settings, run
from llamalog_service.wiring import run_migration_consumer, run_provenance_consumer

app = typer.Typer(
    name="llamalog",
    help="The provenance log of a music catalogue.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.command("consumer")
def consumer() -> None:
    """Consume entity events: write the log, publish provenance."""
    run(run_provenance_consumer(read_settings()))


@app.command("migrator")
def migrator() -> None:
    """Consume backfill commands, repair roots, publish corrections."""
    run(run_migration_consumer(read_settings()))
