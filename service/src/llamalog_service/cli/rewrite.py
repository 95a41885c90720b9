"""`llamalog topics rewrite`: a topic copied into a new one without the data of erased persons."""

from typing import Annotated

import typer

from llamalog_service.bootstrap.topic_rewrites import rewrite_topic
from llamalog_service.cli.options import JsonReport
from llamalog_service.cli.progress import StepBar
from llamalog_service.cli.runtime import console, interruptible, print_json, read_settings, run
from llamalog_service.personal_data.topic_rewrite import RewritableTopic, RewriteReport
from llamalog_service.settings import setting_name


def rewrite(
    topic: Annotated[
        RewritableTopic, typer.Option(help="Which topic; of both the same is done.")
    ] = "entity-events",
    to: Annotated[
        str | None, typer.Option(metavar="NAME", help="The new topic; otherwise the next number is added.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="The old topic, once the settings name the new one."),
    ] = None,
    move: Annotated[
        bool,
        typer.Option(
            "--move", help="Verify the copy and translate all positions to it: consumers are stopped."
        ),
    ] = False,
    as_json: JsonReport = False,
) -> None:
    """Copy a topic into a new one without the data of erased persons, and move over to it.

    Without --move it copies up to the present end, while all goes on; repeated, also after an interruption,
    it continues. With --move it copies the rest, reads both topics again and compares every message, and
    translates the table's positions and those of all groups.
    """
    settings = read_settings()
    stopped = "Stopped. What was copied is kept: the same command continues."
    with interruptible(stopped), StepBar("llamalog.rewrite") as bar:
        report = run(rewrite_topic(settings, bar.show, topic=topic, source=source, target=to, move=move))
    if as_json:
        print_json(report)
        return
    for line in _lines(report, topic):
        console.print(line, markup=False, soft_wrap=True)


def _lines(report: RewriteReport, topic: RewritableTopic) -> list[str]:
    lines = [f"{report.copied:,} messages of {report.source} were copied to {report.target}."]
    if report.records is not None:
        lines.append(
            f"Verified: {report.records:,} messages, {report.changed:,} of them changed; "
            f"SHA-256 {report.digest}."
        )
    setting = setting_name(f"{topic.replace('-', '_')}_topic")
    if not report.moved:
        lines.append("Nothing was moved. Stop the consumers and run the same command with --move.")
    elif report.records is None:
        lines.append(
            f"{report.target} was moved to before; what came to {report.source} since is copied, too."
        )
    else:
        lines += [
            f"Positions were moved, and the offsets of {', '.join(report.groups) or 'no group'}.",
            f"Set {setting}={report.target} for every process and every producer, then start the consumers.",
            f"The data is still in {report.source}: delete that topic once no producer writes to it.",
        ]
    return lines
