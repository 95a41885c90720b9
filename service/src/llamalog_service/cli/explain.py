"""`llamalog explain`: why a row or a job has its root, and what it had before."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from msgspec import Struct
from rich.text import Text
from rich.tree import Tree as Drawn

from llamalog_service.bootstrap import open_log
from llamalog_service.cli.options import AsOf, Json
from llamalog_service.cli.rendering import NO_PRODUCER, NOT_KEPT, UNKNOWN_ORIGIN, format_time, shown
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.explanations import ExplainedStep, Explanation, explain_job, explain_row
from llamalog_service.queries.root_changes import Belief, EventRef, RootChange, RootHistory, read_belief
from llamalog_service.queries.rows import cut
from llamalog_service.settings import DatabaseSettings
from llamalog_service.telemetry.logging import printable

_MAX_SENTENCE = 600

Explained = Annotated[str, typer.Argument(metavar="ROW|JOB", help="The id of a row, or of a job.")]


class UnknownSubjectError(LlamalogError):
    """The log has neither a row nor a job of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The log knows neither a row nor a job {shown(name)}. Check the id; its event may not be read "
            "yet."
        )


class RecordedLaterError(LlamalogError):
    """The row was recorded after the requested time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"Nothing was believed at {format_time(at)} UTC: the row was recorded later.")


class ExplanationAsOf(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of ``explain --as-of``."""

    belief: Belief
    explanation: Explanation


def explain(subject: Explained, as_of: AsOf = None, as_json: Json = False) -> None:
    """Explain why a row, or a job, has its root: the events behind each step, the rule, and the history.

    With --as-of also the root and origin that the row had then. What both a row and a job are named is
    taken for the row.
    """
    found, belief = run(_read(read_database_settings(), subject, as_of))
    if as_json:
        print_json(found if belief is None else ExplanationAsOf(belief=belief, explanation=found))
    else:
        console.print(explained(found, belief))


async def _read(
    settings: DatabaseSettings, subject: str, as_of: datetime | None
) -> tuple[Explanation, Belief | None]:
    async with open_log(settings) as reader:
        row = _row_id(subject)
        found = None if row is None else await explain_row(reader, row)
        found = found or await explain_job(reader, subject)
        if found is None:
            raise UnknownSubjectError(subject)
        if as_of is None or found.row is None:
            return found, None
        belief = await read_belief(reader, found.row, as_of)
        if belief is None:
            raise RecordedLaterError(as_of)
        return found, belief


def _row_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def explained(found: Explanation, belief: Belief | None = None) -> Drawn:
    """An explanation as a tree: what was found, the chain, the history."""
    subject = f"the job {shown(found.job or '')}" if found.row is None else f"the row {found.row}"
    title = Text.assemble("Why ", (subject, "bold"), " has its root\n").append_text(_root(found))
    if found.retracted:
        title.append("  retracted", "bold")
    if belief is not None:
        title.append(f"\nAs of {format_time(belief.at)} UTC: {_named(belief.root, belief.origin)}", "bold")
    drawn = Drawn(title, guide_style="dim")
    for sentence in found.conclusion:
        drawn.add(Text(_cut(sentence), "bold"))
    if found.steps:
        chain = drawn.add("The chain, from below")
        for number, step in enumerate(found.steps):
            if found.skipped and 2 * number == len(found.steps):
                chain.add(Text(f"… {found.skipped:,} jobs between", "dim italic"))
            _add_step(chain, step)
    if found.history is not None:
        _add_history(drawn, found.history)
    return drawn


def _root(found: Explanation) -> Text:
    return Text(_named(found.root, found.origin), "green" if found.root is not None else "yellow")


def _named(root: str | None, origin: str | None) -> str:
    if root is None:
        return f"{UNKNOWN_ORIGIN}: {origin or 'not processed yet'}"
    return f"root {shown(root)} ({origin or 'as another program computed it'})"


def _add_step(chain: Drawn, step: ExplainedStep) -> None:
    label = Text(shown(step.job), "bold")
    if step.first is not None:
        said = f"  {format_time(step.first.at)}  {shown(step.first.operation)}  {_producer(step.first)}"
        label.append(said, "not bold dim")
    branch = chain.add(label)
    for sentence in step.sentences:
        branch.add(Text(_cut(sentence)))


def _producer(event: EventRef) -> str:
    if event.producer is not None:
        return f"by {shown(event.producer)}"
    return NO_PRODUCER if event.is_legacy else f"producer {NOT_KEPT}"


def _add_history(drawn: Drawn, history: RootHistory) -> None:
    heading = Text("What it had before, the latest change first")
    if not history.changes:
        heading = Text(
            "Its root was never changed" if not history.is_cut else "No change of its root is kept"
        )
    branch = drawn.add(heading)
    for change in history.changes:
        branch.add(_change(change))
    if history.longer:
        branch.add(Text("… and older changes", "dim italic"))
    if history.is_cut:
        branch.add(Text(f"Changes before {format_time(history.since)} UTC are not kept.", "dim italic"))


def _change(change: RootChange) -> Text:
    line = Text(f"{format_time(change.at)}  ", "dim")
    line.append(
        f"{_named(change.old_root, change.old_origin)} → {_named(change.root, change.origin)}", "not dim"
    )
    return line.append(f"\n{_cut(change.sentence)}", "not dim")


def _cut(sentence: str) -> str:
    """A sentence without control characters, of bounded length."""
    return printable(cut(sentence, _MAX_SENTENCE))
