"""A replay of dead letters as it is asked for, watched, stopped and summed up."""

import sys

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from llamalog_service.bootstrap.dead_letters import replay_dead_letters
from llamalog_service.cli.dead_letter_view import where_of
from llamalog_service.cli.runtime import TIMEOUT, console, error_console, print_error, run
from llamalog_service.dead_letters.replay import Tally
from llamalog_service.dead_letters.replay_policy import ReplayOutcome
from llamalog_service.dead_letters.selection import Selection
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.dead_letters import DeadLetterPosition
from llamalog_service.settings import Settings
from llamalog_service.styles import printable

STOPPED = 130
"""The exit code of what Ctrl-C has ended, as shells have it."""

_NOT_SENT = {
    ReplayOutcome.REPEATED: "hold a message that another letter holds, too",
    ReplayOutcome.INVALID: "are invalid still; --even-if-invalid sends them all the same",
    ReplayOutcome.CUT: "were cut and are refused",
    ReplayOutcome.TOO_LARGE: "are too large for their topic",
    ReplayOutcome.ELSEWHERE: "came from a topic that is not read here",
    ReplayOutcome.FOREIGN: "were not put there by llamalog",
}


def replay(
    settings: Settings,
    selection: Selection,
    *,
    after: str | None,
    even_if_invalid: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Do what `llamalog dead-letters replay` was asked for; ends the process with a code where it has to.

    Args:
        after: a place as a stopped replay has told it.
        dry_run: only say what would be done.
        yes: do it without asking.
    """
    behind = _place(after)

    def go(*, dry: bool) -> Tally:
        return _watched(settings, selection, behind, even_if_invalid=even_if_invalid, dry=dry)

    if dry_run or not yes:
        tally = go(dry=True)
        _sum_up(tally, "would be sent back")
        if dry_run or not tally.fates[ReplayOutcome.SENT]:
            _end(tally, selection)
            return
        if not sys.stdin.isatty():
            console.print("Nothing was sent: --yes does it.")
            return
        typer.confirm(f"Send {tally.fates[ReplayOutcome.SENT]:,} letters back?", abort=True)
    tally = go(dry=False)
    _sum_up(tally, "sent back")
    _end(tally, selection)


def _place(text: str | None) -> DeadLetterPosition | None:
    if text is None:
        return None
    try:
        partition, offset = map(int, text.split("/"))
    except ValueError:
        print_error("--after", f'"{printable(text)}" is no place such as 0/1234.')
        raise typer.Exit(2) from None
    return DeadLetterPosition(partition, offset)


def _watched(
    settings: Settings,
    selection: Selection,
    after: DeadLetterPosition | None,
    *,
    even_if_invalid: bool,
    dry: bool,
) -> Tally:
    """Replay with a line that tells how far it is; an error says how to go on before it ends the process."""
    tally = Tally()
    with _progress() as bar:
        doing = "judging dead letters" if dry else "sending dead letters back"
        task = bar.add_task(doing, total=None, meant="0", sent="0")

        def show(tally: Tally) -> None:
            bar.update(task, meant=f"{tally.meant:,}", sent=f"{tally.fates[ReplayOutcome.SENT]:,}")

        async def work() -> None:
            try:
                await replay_dead_letters(
                    settings,
                    selection,
                    after=after,
                    even_if_invalid=even_if_invalid,
                    dry=dry,
                    tally=tally,
                    progress=show,
                    timeout=TIMEOUT,
                )
            except LlamalogError:
                bar.stop()
                if not dry and tally.read_to is not None:
                    _sum_up(tally, "sent back")
                    _say_how_to_go_on(tally)
                raise

        run(work())
    return tally


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[meant]} looked at, {task.fields[sent]} to send"),
        TimeElapsedColumn(),
        console=error_console,
    )


def _sum_up(tally: Tally, verb: str) -> None:
    console.print(f"{tally.fates[ReplayOutcome.SENT]:,} of {tally.meant:,} dead letters {verb}.")
    for reason, number in tally.sent.most_common():
        console.print(f"{number:>9,}  {reason}", markup=False, soft_wrap=True)
    for fate, words in _NOT_SENT.items():
        if number := tally.fates[fate]:
            console.print(f"{number:>9,} {words}.")
    for letter, verdict in tally.refusals:
        line = f"  {where_of(letter)} ({letter.reason}): {verdict.sentence}"
        console.print(printable(line)[:500], markup=False, soft_wrap=True)


def _end(tally: Tally, selection: Selection) -> None:
    if tally.stopped:
        _say_how_to_go_on(tally)
        raise typer.Exit(STOPPED)
    if selection.where is not None and not tally.fates[ReplayOutcome.SENT]:
        raise typer.Exit(1)


def _say_how_to_go_on(tally: Tally) -> None:
    behind = f"--after {tally.read_to}" if tally.read_to is not None else "the same words"
    console.print(f"It stopped early. Go on with {behind}; what is sent twice is recorded once.")
