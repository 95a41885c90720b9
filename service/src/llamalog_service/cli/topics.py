"""`llamalog topics create` and `llamalog topics check`."""

import typer

from llamalog_service.cli.runtime import TIMEOUT, console, read_settings, run
from llamalog_service.kafka.topic_checks import Level, find_topic_faults
from llamalog_service.kafka.topics import create_missing_topics

app = typer.Typer(name="topics", help="Create the topics of llamalog, or check them.", no_args_is_help=True)

_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: "cyan"}


@app.command("create")
def create() -> None:
    """Create the topics that are missing; existing ones are kept as they are."""
    for topic in run(create_missing_topics(read_settings(), timeout=TIMEOUT)):
        console.print(f"{topic.name}: {'created' if topic.created else 'kept'}", soft_wrap=True)


@app.command("check")
def check() -> None:
    """Print what is wrong with the topics, and what to do; code 1 if llamalog would not start on them."""
    findings = run(find_topic_faults(read_settings(), timeout=TIMEOUT))
    for finding in findings:
        console.print(f"[{_COLOURS[finding.level]}]{finding.level}[/]", end=" ")
        console.print(str(finding), markup=False, soft_wrap=True)
    if any(finding.level is Level.ERROR for finding in findings):
        raise typer.Exit(1)
    if not findings:
        console.print("The topics are as they have to be.")
