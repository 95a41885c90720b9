"""The options of the backfill commands, with the parser of expectations."""

import getpass
from collections.abc import Callable, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from llamalog_schemas.commands import (
    MAX_BATCH_SIZE,
    ExpectedCounts,
    GivenJobs,
    MissingParent,
    OneRoot,
    Scope,
    WholeTable,
)
from llamalog_schemas.limits import MAX_COUNT
from llamalog_service.backfill.scopes import InvalidScopeError, checked_jobs, is_text, parse_moment, window

_CLASSES = ExpectedCounts.__struct_fields__
Parsed = TypeVar("Parsed")
_LONGEST_REQUESTER = 255


def choose_scope(
    jobs: Sequence[str], root: str | None, since: datetime | None, until: datetime | None
) -> Scope:
    """The requested scope; every row without any option.

    Raises:
        InvalidScopeError: options that exclude each other, or one that can't be.
    """
    given = {
        "--job": bool(jobs),
        "--root": root is not None,
        "--since/--until": since is not None or until is not None,
    }
    named = [option for option, is_given in given.items() if is_given]
    if len(named) > 1:
        raise InvalidScopeError(f"{' and '.join(named)} exclude each other: a backfill has one scope.")
    if jobs:
        return GivenJobs(jobs=checked_jobs(jobs))
    if root is not None:
        return OneRoot(root_job_id=checked_jobs([root])[0])
    if named:
        return window(since, until)
    return WholeTable()


class InvalidExpectationError(ValueError):
    """The option is no expectation; the message names the wrong part and shows the form."""

    def __init__(self, wrong: str) -> None:
        super().__init__(f"{wrong} An expectation looks like roots=1537,children=30,untracked=2485.")


def parse_expectation(text: str) -> ExpectedCounts:
    """Counts by class; a class that is not named may have any count.

    Args:
        text: ``class=count``, comma-separated; a count may be written with underscores: ``1_567``.

    Raises:
        InvalidExpectationError: which part is wrong, and why.
    """
    expected: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (word.strip() for word in part.partition("="))
        if not equals:
            raise InvalidExpectationError(f"`{part.strip()}` has no `=`.")
        if name not in _CLASSES:
            raise InvalidExpectationError(_unknown(name))
        if name in expected:
            raise InvalidExpectationError(f"`{name}` is given twice.")
        expected[name] = _count(name, count)
    return ExpectedCounts(**expected)


def _unknown(name: str) -> str:
    close = get_close_matches(name, _CLASSES, n=1)
    meant = f" Did you mean `{close[0]}`?" if close else f" There are {', '.join(sorted(_CLASSES))}."
    return f"There is no class `{name}`.{meant}"


def _count(name: str, text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        raise InvalidExpectationError(
            f"The count of `{name}` is {text!r}, which is no whole number."
        ) from None
    if not 0 <= count <= MAX_COUNT:
        raise InvalidExpectationError(f"The count of `{name}` is {count}: it lies between 0 and {MAX_COUNT}.")
    return count


def _parser(parse: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """Wrap a parser so that its error becomes typer's."""

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


Run = Annotated[UUID, typer.Argument(help="The run's id, as `start` and `list` print it.")]
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
        help="Counts that the plan has to have, or the run fails and changes nothing: "
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
        help="Who requests it; kept with the run.",
    ),
]
