"""`llamalog dead-letters fix`: a refused message, corrected and sent."""

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from llamalog_schemas.codec import encode
from llamalog_service.bootstrap import open_log
from llamalog_service.bootstrap.dead_letters import correct_dead_letter
from llamalog_service.cli.runtime import SOURCE, TIMEOUT, print_line, read_settings, run
from llamalog_service.dead_letters.correction import Correction, Document, document_of, with_values
from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter
from llamalog_service.settings import Settings
from llamalog_service.telemetry.logging import printable


def parse_position(text: str | DeadLetterPosition) -> DeadLetterPosition:
    """A position in the topic of dead letters, such as ``0/1234``.

    Raises:
        typer.BadParameter: it is none.
    """
    if isinstance(text, DeadLetterPosition):
        return text
    try:
        partition, offset = map(int, text.split("/"))
    except ValueError:
        raise typer.BadParameter(f'"{printable(text)}" is no position such as 0/1234') from None
    return DeadLetterPosition(partition, offset)


def fix(  # noqa: PLR0917 -- typer calls it by name
    position: Annotated[
        DeadLetterPosition,
        typer.Argument(
            parser=parse_position,
            metavar="POSITION",
            help="partition/offset in the topic of dead letters, as `show` prints it.",
        ),
    ],
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help='As data.status=SUCCESS or data.retryCount=3; "null" removes it. May be repeated.',
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file with the whole of the right event, as JSON.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why the recorded event is taken back, if one is; kept for ever.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who requests it; the user of this machine if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send it; without it nothing is changed.")] = False,
) -> None:
    """Correct a dead letter and send it to the topic of entity events; a dry run unless --yes is given.

    Where its id is recorded with another content, the recorded event is taken back, and the corrected one
    gets a new id. Repeating it does no harm.
    """
    changes = _changes(values or [])
    if (file is None) is not bool(changes):
        raise typer.BadParameter("give either --set or --file")
    given = None if file is None else _document_in(file)

    def change(dead_letter: StoredDeadLetter) -> Document:
        return given if given is not None else with_values(document_of(dead_letter), changes)

    correction = run(_correct(read_settings(), position, change, reason, by, dry_run=not yes))
    print_line(encode(correction.event).decode())
    if correction.retracts is not None:
        done = "is" if yes else "would be"
        print_line(f"The row {correction.retracts}, which bears its former id, {done} taken back.")
    print_line("The event is sent." if yes else "The contract takes it. Nothing was sent: --yes sends it.")


async def _correct(
    settings: Settings,
    position: DeadLetterPosition,
    change: Any,
    reason: str | None,
    by: str | None,
    *,
    dry_run: bool,
) -> Correction:
    async with open_log(settings) as reader:
        return await correct_dead_letter(
            settings,
            reader,
            position,
            change,
            source=SOURCE,
            reason=reason,
            requested_by=by or getpass.getuser(),
            dry_run=dry_run,
            timeout=TIMEOUT,
        )


def _changes(texts: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not all(path.split(".")):
            raise typer.BadParameter(f'"{printable(text)}" is not of the form data.field=value')
        try:
            changes[path] = json.loads(value)
        except ValueError:
            changes[path] = value
    return changes


def _document_in(file: Path) -> Document:
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{file} holds no JSON: {error}", param_hint="--file") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{file} holds no JSON object", param_hint="--file")
    return document
