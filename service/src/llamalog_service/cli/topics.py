"""`llamalog topics create`, `check`, `acls` and `rewrite`."""

from typing import Annotated

import typer

from llamalog_service.cli.rewrite import rewrite
from llamalog_service.cli.runtime import TIMEOUT, console, read_settings, run
from llamalog_service.kafka.acls import Role, default_principals, grants, script
from llamalog_service.kafka.topic_checks import Level, find_topic_faults
from llamalog_service.kafka.topics import create_missing_topics, topics_of

app = typer.Typer(
    name="topics",
    help="Create the topics of llamalog, check them, rewrite one, or print the rights that their users need.",
    no_args_is_help=True,
)

app.command("rewrite")(rewrite)

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


@app.command("acls")
def acls(
    principal: Annotated[
        list[str],
        typer.Option(
            metavar="ROLE=NAME",
            help=f"The principal of a role ({', '.join(Role)}); may be repeated. Else llamalog-ROLE.",
        ),
    ] = [],  # noqa: B006 - typer copies it
    role: Annotated[list[Role], typer.Option(help="Only of this role; may be repeated.")] = [],  # noqa: B006
) -> None:
    """Print the kafka-acls commands that give each process its rights at Kafka, and no more.

    They take the broker from BOOTSTRAP and the credentials of an administrator from the file CREDENTIALS:
    `llamalog topics acls | BOOTSTRAP=broker:9092 CREDENTIALS=admin.properties sh`. For a second producer:
    `--role producer --principal producer=NAME`.
    """
    settings = read_settings()
    principals = default_principals() | dict(map(_principal, principal))
    matrix = grants(topics_of(settings), settings, principals)
    wanted = {one: granted for one, granted in matrix.items() if not role or one in role}
    typer.echo(script(wanted, principals), nl=False)


def _principal(text: str) -> tuple[Role, str]:
    role, _, name = text.partition("=")
    if role not in list(Role) or not name:
        raise typer.BadParameter(f'"{text}" is not of the form ROLE=NAME', param_hint="--principal")
    return Role(role), name
