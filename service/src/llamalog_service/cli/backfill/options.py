"""The options of the commands of a backfill."""

import getpass
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from llamalog_schemas.commands import MAX_BATCH_SIZE, ExpectedCounts, MissingParent
from llamalog_service.cli.backfill.expectation import InvalidExpectationError, parse_expectation
from llamalog_service.cli.backfill.scope import InvalidScopeError, is_text, parse_moment

Parsed = TypeVar("Parsed")
_LONGEST_REQUESTER = 255


def _parser(parse: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """A parser whose complaint becomes typer's."""

    def parsed(text: str) -> Parsed:
        try:
            return parse(text)
        except (InvalidExpectationError, InvalidScopeError) as error:
            raise typer.BadParameter(str(error)) from error

    return parsed


def _requester(text: str) -> str:
    if not (1 <= len(text) <= _LONGEST_REQUESTER and is_text(text)):
        raise typer.BadParameter(f"A name has 1 to {_LONGEST_REQUESTER} characters.")
    return text


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return "unknown"


Run = Annotated[UUID, typer.Argument(help="The run's id, as `start` and `list` tell it.")]
Jobs = Annotated[
    list[str], typer.Option("--job", help="Only this job and everything below it; may be repeated.")
]
Root = Annotated[
    str | None, typer.Option(help="Only the rows of this root, this job and everything below it.")
]
Since = Annotated[
    datetime | None,
    typer.Option(
        parser=_parser(parse_moment), metavar="MOMENT", help="Only rows created then or later; ISO 8601."
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=_parser(parse_moment), metavar="MOMENT", help="Only rows created before; ISO 8601."),
]
MissingParents = Annotated[
    MissingParent,
    typer.Option(
        "--missing-parent",
        help="A top that was never logged: adopt it as a root, or leave the roots below unknown.",
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_BATCH_SIZE, help="Rows a transaction at most; else the service chooses."),
]
Rate = Annotated[int | None, typer.Option(min=1, help="Rows a second at most.")]
Expect = Annotated[
    ExpectedCounts | None,
    typer.Option(
        parser=_parser(parse_expectation),
        metavar="CLASS=COUNT,…",
        help="What the plan has to count, or the run fails and changes nothing: "
        f"{', '.join(ExpectedCounts.__struct_fields__)}.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Plan, check and report; change nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RequestedBy = Annotated[
    str,
    typer.Option(
        parser=_requester,
        metavar="NAME",
        default_factory=_me,
        show_default="who you are here",
        help="Who asks; kept with the run.",
    ),
]
