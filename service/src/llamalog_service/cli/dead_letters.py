"""`llamalog dead-letters`: what was refused, listed, counted, shown, and sent back."""

from collections import Counter, deque
from datetime import UTC, datetime
from typing import Annotated

import typer

from llamalog_service.bootstrap.dead_letters import select_dead_letters
from llamalog_service.cli.dead_letter_replay import replay
from llamalog_service.cli.dead_letter_view import letter_as_json, letter_in_brief, letter_lines
from llamalog_service.cli.runtime import TIMEOUT, console, print_error, print_json, read_settings, run
from llamalog_service.dead_letters.selection import Selection
from llamalog_service.kafka.dead_letters import Coordinates, StoredDeadLetter
from llamalog_service.settings import Settings

app = typer.Typer(
    name="dead-letters",
    help="Messages that were refused: list, count, show, send back.",
    no_args_is_help=True,
)


def _coordinates(text: str | Coordinates) -> Coordinates:
    if isinstance(text, Coordinates):
        return text
    try:
        topic, partition, offset = text.rsplit("/", 2)
        return Coordinates(topic, int(partition), int(offset))
    except ValueError:
        raise typer.BadParameter(f'"{text}" is not of the form topic/partition/offset') from None


def _moment(text: str | datetime) -> datetime:
    if isinstance(text, datetime):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no time such as 2026-02-10T10:30 or …+01:00') from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Where = Annotated[
    Coordinates,
    typer.Argument(parser=_coordinates, metavar="WHERE", help="topic/partition/offset, as `list` tells it."),
]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only of this reason; may be repeated.")]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Only of this topic, with or without the prefix; may be repeated."),
]
_WHEN = "(2026-02-10T10:30, UTC if no zone is named)."
Since = Annotated[
    datetime | None, typer.Option(parser=_moment, metavar="TIME", help=f"Only dead since this time {_WHEN}")
]
Until = Annotated[
    datetime | None, typer.Option(parser=_moment, metavar="TIME", help=f"Only dead before this time {_WHEN}")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")]


@app.command("list")
def list_dead_letters(  # noqa: PLR0917 -- typer calls it by name
    reasons: Reasons = None,
    topics: Topics = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest ones.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the oldest first, and count all of them by reason."""
    settings = read_settings()
    selection = selected(settings, reasons, topics, since, until)
    counts: Counter[str] = Counter()
    newest: deque[StoredDeadLetter] = deque(maxlen=limit)

    async def collect() -> None:
        async for some in select_dead_letters(settings, selection, timeout=TIMEOUT):
            newest.extend(some)
            counts.update(letter.reason for letter in some)

    run(collect())
    if as_json:
        for letter in newest:
            print_json(letter_as_json(letter, with_value=False), one_line=True)
        return
    for letter in newest:
        console.print(letter_in_brief(letter), soft_wrap=True)
    if counts.total() > len(newest):
        console.print(f"The newest {len(newest):,} of {counts.total():,}; --limit shows more.")
    _print_counts(counts)


@app.command("count")
def count(
    reasons: Reasons = None,
    topics: Topics = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by reason; a message that was refused twice has two letters."""
    settings = read_settings()
    selection = selected(settings, reasons, topics, since, until)
    counts: Counter[str] = Counter()

    async def collect() -> None:
        async for some in select_dead_letters(settings, selection, timeout=TIMEOUT):
            counts.update(letter.reason for letter in some)

    run(collect())
    if as_json:
        print_json({"total": counts.total(), "byReason": dict(sorted(counts.items()))}, one_line=True)
    else:
        _print_counts(counts)


@app.command("show")
def show(
    where: Where,
    in_hex: Annotated[bool, typer.Option("--hex", help="Bytes in hex, also where they are text.")] = False,
    in_full: Annotated[bool, typer.Option("--full", help="All bytes, however many.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: why, from where, its headers, its bytes as text or in hex."""
    settings = read_settings()
    selection = Selection(where=_in_full(settings, where))
    found: list[StoredDeadLetter] = []

    async def collect() -> None:
        async for some in select_dead_letters(settings, selection, timeout=TIMEOUT):
            found.extend(some)

    run(collect())
    if as_json:
        for letter in found:
            print_json(letter_as_json(letter, with_value=True), one_line=True)
        return
    for line in letter_lines(found[-1], in_hex=in_hex, in_full=in_full):
        console.print(line, soft_wrap=True)
    if len(found) > 1:
        console.print(f"The newest of {len(found)} letters of this message; --json shows all.")


@app.command("replay")
def replay_dead_letters(  # noqa: PLR0917 -- typer calls it by name
    where: Annotated[
        Coordinates | None,
        typer.Argument(parser=_coordinates, metavar="[WHERE]", help="One letter: topic/partition/offset."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Letters of every reason.")] = False,
    reasons: Reasons = None,
    topics: Topics = None,
    since: Since = None,
    until: Until = None,
    after: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Go on where a replay stopped, as it told.")
    ] = None,
    even_if_invalid: Annotated[
        bool,
        typer.Option(
            "--even-if-invalid", help="Send also what the contract refuses still, and what will come back."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
) -> None:
    """Send dead letters back, byte for byte, to the topics that they came from: one, by reason, or all.

    Without --yes it says what it would do, and asks if there is a terminal to ask on. Doing it twice is
    harmless: what was recorded meanwhile is a duplicate.
    """
    ways = sum([where is not None, bool(reasons), every])
    if ways != 1:
        print_error("llamalog", "Name one letter (topic/partition/offset), or --reason, or --all.")
        raise typer.Exit(2)
    settings = read_settings()
    selection = selected(settings, reasons, topics, since, until, where=where)
    replay(settings, selection, after=after, even_if_invalid=even_if_invalid, dry_run=dry_run, yes=yes)


def selected(
    settings: Settings,
    reasons: list[str] | None,
    topics: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    *,
    where: Coordinates | None = None,
) -> Selection:
    """What the options mean; topics may be named without their prefix."""
    return Selection(
        reasons=frozenset(reasons or ()),
        topics=frozenset(_with_prefix(settings, topic) for topic in topics or ()),
        since=since,
        until=until,
        where=_in_full(settings, where) if where is not None else None,
    )


def _in_full(settings: Settings, where: Coordinates) -> Coordinates:
    return where._replace(topic=_with_prefix(settings, where.topic))


def _with_prefix(settings: Settings, topic: str) -> str:
    return topic if topic.startswith(settings.topic_prefix) else settings.topic_prefix + topic


def _print_counts(counts: Counter[str]) -> None:
    if not counts:
        console.print("There is no such dead letter.")
    for reason, number in counts.most_common():
        console.print(f"{number:>9,}  {reason}", markup=False, soft_wrap=True)
