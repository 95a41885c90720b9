"""`llamalog dead-letters`: refused messages, listed, counted, shown, and replayed."""

import sys
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

import typer

from llamalog_service.bootstrap.dead_letters import replay_dead_letters
from llamalog_service.cli.dead_letter_fix import fix, parse_position
from llamalog_service.cli.dead_letter_view import (
    coordinates_of,
    dead_letter_as_json,
    dead_letter_in_brief,
    dead_letter_lines,
)
from llamalog_service.cli.options import Since, Until
from llamalog_service.cli.progress import progress_bar
from llamalog_service.cli.rendering import shown
from llamalog_service.cli.runtime import (
    INTERRUPTED,
    TIMEOUT,
    console,
    print_error,
    print_json,
    print_line,
    read_settings,
    run,
    signals_as_interrupts,
)
from llamalog_service.dead_letters.policy import ReplayOutcome
from llamalog_service.dead_letters.replay import ReplayStats
from llamalog_service.dead_letters.selection import DeadLetterSelection, select_dead_letters
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.dead_letters import (
    Coordinates,
    DeadLetterPosition,
    DeadLetterReader,
    StoredDeadLetter,
)
from llamalog_service.kafka.erasing import read_erasures
from llamalog_service.settings import Settings
from llamalog_service.telemetry.logging import printable

app = typer.Typer(
    name="dead-letters",
    help="Messages that were refused: list, count, show, send back.",
    no_args_is_help=True,
)

app.command("fix")(fix)

_NOT_SENT: Final = {
    ReplayOutcome.REPEATED: "hold a message that another dead letter holds, too",
    ReplayOutcome.INVALID: "are still invalid; --even-if-invalid sends them all the same",
    ReplayOutcome.CUT: "were cut and are refused",
    ReplayOutcome.TOO_LARGE: "are too large for their topic",
    ReplayOutcome.ELSEWHERE: "came from a topic that is not read here",
    ReplayOutcome.FOREIGN: "were not put there by llamalog",
}


def _coordinates(text: str | Coordinates) -> Coordinates:
    if isinstance(text, Coordinates):
        return text
    try:
        topic, partition, offset = text.rsplit("/", 2)
        return Coordinates(topic, int(partition), int(offset))
    except ValueError:
        raise typer.BadParameter(f'"{text}" is not of the form topic/partition/offset') from None


Where = Annotated[
    Coordinates,
    typer.Argument(parser=_coordinates, metavar="WHERE", help="topic/partition/offset, as `list` prints it."),
]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only of this reason; may be repeated.")]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Only of this topic, with or without the prefix; may be repeated."),
]
OfProducers = Annotated[
    list[str] | None,
    typer.Option("--producer", help="Only of this producer, the source of its events; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")]


@app.command("list")
def list_dead_letters(  # noqa: PLR0917 -- typer calls it by name
    reasons: Reasons = None,
    topics: Topics = None,
    producers: OfProducers = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest ones.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the oldest first, and count all of them by reason.

    --since and --until are about when a message became a dead letter.
    """
    settings = read_settings()
    selection = _selection(settings, reasons, topics, producers, since=since, until=until)
    counts: Counter[str] = Counter()
    newest: deque[StoredDeadLetter] = deque(maxlen=limit)

    def keep(batch: list[StoredDeadLetter]) -> None:
        newest.extend(batch)
        counts.update(dead_letter.reason for dead_letter in batch)

    run(_read(settings, selection, keep))
    if as_json:
        for dead_letter in newest:
            print_json(dead_letter_as_json(dead_letter, with_value=False), one_line=True)
        return
    for dead_letter in newest:
        console.print(dead_letter_in_brief(dead_letter), soft_wrap=True)
    if counts.total() > len(newest):
        console.print(f"The newest {len(newest):,} of {counts.total():,}; --limit shows more.")
    _print_counts(counts)


@app.command("count")
def count(  # noqa: PLR0917 -- typer calls it by name
    reasons: Reasons = None,
    topics: Topics = None,
    producers: OfProducers = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by reason; a message that was refused twice has two."""
    settings = read_settings()
    selection = _selection(settings, reasons, topics, producers, since=since, until=until)
    counts: Counter[str] = Counter()
    run(_read(settings, selection, lambda batch: counts.update(found.reason for found in batch)))
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
    selection = DeadLetterSelection(where=_in_full(settings, where))
    found: list[StoredDeadLetter] = []

    run(_read(settings, selection, found.extend))
    if as_json:
        for dead_letter in found:
            print_json(dead_letter_as_json(dead_letter, with_value=True), one_line=True)
        return
    for line in dead_letter_lines(found[-1], in_hex=in_hex, in_full=in_full):
        console.print(line, soft_wrap=True)
    if len(found) > 1:
        console.print(f"The newest of {len(found)} dead letters of this message; --json shows all.")


@app.command("replay")
def replay(  # noqa: PLR0917 -- typer calls it by name
    where: Annotated[
        Coordinates | None,
        typer.Argument(
            parser=_coordinates, metavar="[WHERE]", help="One dead letter: topic/partition/offset."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Dead letters of every reason.")] = False,
    reasons: Reasons = None,
    topics: Topics = None,
    producers: OfProducers = None,
    since: Since = None,
    until: Until = None,
    after: Annotated[
        DeadLetterPosition | None,
        typer.Option(
            parser=parse_position, metavar="POSITION", help="Resume a replay that stopped, as it printed."
        ),
    ] = None,
    even_if_invalid: Annotated[
        bool,
        typer.Option(
            "--even-if-invalid",
            help="Send also messages that the contract still refuses: they will be dead letters again.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without confirmation.")] = False,
) -> None:
    """Send dead letters back, byte for byte, to the topics that they came from: one, by reason, or all.

    Without --yes it prints what it would do, and asks for confirmation if there is a terminal. Repeating it
    is harmless: what was recorded meanwhile is a duplicate.
    """
    if sum([where is not None, bool(reasons), every]) != 1:
        print_error("llamalog", "Name one dead letter (topic/partition/offset), or --reason, or --all.")
        raise typer.Exit(2)
    settings = read_settings()
    selection = _selection(settings, reasons, topics, producers, since=since, until=until, where=where)

    def go(*, dry_run: bool) -> ReplayStats:
        return _replay(settings, selection, after, even_if_invalid=even_if_invalid, dry_run=dry_run)

    if dry_run or not yes:
        stats = go(dry_run=True)
        _print_stats(stats, "would be sent back")
        if dry_run or not stats.sent:
            _exit(stats, selection)
            return
        if not sys.stdin.isatty():
            console.print("Nothing was sent: --yes does it.")
            return
        typer.confirm(f"Send {stats.sent:,} dead letters back?", abort=True)
    stats = go(dry_run=False)
    _print_stats(stats, "sent back")
    _exit(stats, selection)


def _replay(
    settings: Settings,
    selection: DeadLetterSelection,
    after: DeadLetterPosition | None,
    *,
    even_if_invalid: bool,
    dry_run: bool,
) -> ReplayStats:
    """Replay under a progress bar; after an error print how to resume before the process ends."""
    stats = ReplayStats()
    with progress_bar("{task.fields[read]} read, {task.fields[sent]} to send", counted=False) as bar:
        doing = "checking dead letters" if dry_run else "sending dead letters back"
        task = bar.add_task(doing, total=None, read="0", sent="0")

        def show(stats: ReplayStats) -> None:
            bar.update(task, read=f"{stats.selected:,}", sent=f"{stats.sent:,}")

        async def work() -> None:
            try:
                await replay_dead_letters(
                    settings,
                    selection,
                    after=after,
                    even_if_invalid=even_if_invalid,
                    dry_run=dry_run,
                    stats=stats,
                    progress=show,
                    timeout=TIMEOUT,
                )
            except LlamalogError:
                bar.stop()
                if not dry_run and stats.read_to is not None:
                    _print_stats(stats, "sent back")
                    _print_how_to_resume(stats)
                raise

        with signals_as_interrupts():
            run(work())
    return stats


def _print_stats(stats: ReplayStats, verb: str) -> None:
    console.print(f"{stats.sent:,} of {stats.selected:,} dead letters {verb}.")
    for reason, number in stats.sent_by_reason.most_common():
        print_line(f"{number:>9,}  {shown(reason)}")
    for outcome, description in _NOT_SENT.items():
        if number := stats.outcomes[outcome]:
            console.print(f"{number:>9,} {description}.")
    for dead_letter, decision in stats.not_sent:
        line = f"  {coordinates_of(dead_letter)} ({dead_letter.reason}): {decision.sentence}"
        console.print(printable(line)[:500], markup=False, soft_wrap=True)


def _exit(stats: ReplayStats, selection: DeadLetterSelection) -> None:
    """End the process with a code unless all is well."""
    if stats.is_stopped:
        _print_how_to_resume(stats)
        raise typer.Exit(INTERRUPTED)
    if selection.where is not None and not stats.sent:
        raise typer.Exit(1)


def _print_how_to_resume(stats: ReplayStats) -> None:
    option = f"--after {stats.read_to}" if stats.read_to is not None else "the same command"
    console.print(f"It stopped early. Resume with {option}; what is sent twice is recorded once.")


async def _read(
    settings: Settings, selection: DeadLetterSelection, keep: Callable[[list[StoredDeadLetter]], None]
) -> None:
    reader = DeadLetterReader(settings, partial(read_erasures, settings))
    async for batch in select_dead_letters(reader, selection, timeout=TIMEOUT):
        keep(batch)


def _selection(
    settings: Settings,
    reasons: list[str] | None,
    topics: list[str] | None,
    producers: list[str] | None,
    *,
    since: Since,
    until: Until,
    where: Coordinates | None = None,
) -> DeadLetterSelection:
    return DeadLetterSelection(
        reasons=frozenset(reasons or ()),
        topics=frozenset(_with_prefix(settings, topic) for topic in topics or ()),
        producers=frozenset(producers or ()),
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
        print_line(f"{number:>9,}  {shown(reason)}")
