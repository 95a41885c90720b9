"""What `llamalog adopt` says: to people as it goes along, to machines as one JSON object at the end."""

from collections.abc import Iterator, Sequence
from typing import Any

from llamalog_schemas.backfills import RootCounts, RunStatus
from llamalog_schemas.commands import BackfillRootsData
from llamalog_service.bootstrap.adoption import Found
from llamalog_service.cli.backfill.tables import run_tables
from llamalog_service.cli.migrate import applied, tell_check
from llamalog_service.cli.runtime import console, print_json
from llamalog_service.queries.adoption import Adoption
from llamalog_service.queries.backfills import BackfillRun


class AdoptionTold:
    """Collects what there is to tell; without ``as_json`` each thing is printed at once.

    Args:
        as_json: print nothing but one object, when all is told.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told: dict[str, Any] = {}

    def found(self, found: Found, asked: BackfillRootsData) -> None:
        """What stands, what is to be done, and what of that which is asked comes too late."""
        self._told["check"] = found.check
        unheeded = unheeded_options(found, asked)
        if unheeded:
            self._told["notHeeded"] = list(unheeded)
        if self._as_json:
            return
        tell_check(found.check)
        for line in what_is_left(found):
            self.say(line)
        if unheeded:
            self.say(
                f"It keeps the pace that it was begun with: {' and '.join(unheeded)} of this call is not "
                "heeded. To change it, cancel that run (`llamalog backfill cancel`) and adopt again: what is "
                "written stays."
            )

    def migrated(self, revisions: Sequence[str]) -> None:
        """Which steps were applied."""
        self._told["migrated"] = list(revisions)
        self.say(applied(revisions))

    def ended(self, run: BackfillRun) -> None:
        """How the backfill of the roots ended."""
        self._told["run"] = run
        if self._as_json:
            return
        console.print(run_tables(run))
        for line in conclusion(run, was_migrated=bool(self._told.get("migrated"))):
            self.say(line)

    def say(self, line: str) -> None:
        """A line for people as it stands."""
        if not self._as_json:
            console.print(line, markup=False, soft_wrap=True)

    def close(self, outcome: str) -> None:
        """Print the object, if that is wanted.

        Args:
            outcome: how the command ended, in a word.
        """
        if self._as_json:
            print_json({"outcome": outcome} | self._told)


def what_is_left(found: Found) -> Iterator[str]:
    """What is to be done after the steps of the migration, in sentences."""
    if found.check.problems:
        yield "Nothing was changed. Remove what is in the way, and run the same command again."
        return
    if found.adoption is None:
        yield "Then the roots of all rows are planned, counted, and written in small batches."
        return
    if found.adoption.under_way is not None:
        yield f"The adoption {found.adoption.under_way.run} was begun before and goes on where it was."
    elif found.adoption.run is not None:
        yield f"It was adopted before: `llamalog backfill show {found.adoption.run.run}` has the report."
    yield _rows_left(found.adoption)


def _rows_left(adoption: Adoption) -> str:
    return (
        f"{adoption.unlooked:,} rows have no origin yet; {adoption.pending:,} rows belong to a job that was "
        "never logged and does not count as a root."
    )


def unheeded_options(found: Found, asked: BackfillRootsData) -> Sequence[str]:
    """The options that are given and differ from those of the run which goes on."""
    begun = None if found.adoption is None or asked.dry_run else found.adoption.under_way
    if begun is None:
        return ()
    given = {
        "--batch-size": (asked.batch_size, begun.request.batch_size),
        "--rate": (asked.rate_limit, begun.request.rate_limit),
    }
    return [name for name, (now, then) in given.items() if now is not None and now != then]


def conclusion(run: BackfillRun, *, was_migrated: bool) -> Iterator[str]:
    """What a run that has ended means for who adopts, in sentences."""
    report = run.report
    if run.status is RunStatus.CANCELLED:
        yield "Somebody cancelled it. What it had written stays; the same command begins it anew."
    elif run.status is RunStatus.FAILED:
        if report is not None and not report.set_:
            yield "No root was written. The steps of the migration stay: they are right whatever the roots."
    elif run.request.dry_run:
        yield "This was a dry run: no root was written."
    elif report is not None and not (was_migrated or report.set_ or report.set_after_looking_again):
        yield "There was nothing to do: every row has the root that the rules give it."
    elif report is not None:
        rooted = _with_root(report.plan)
        yield f"The log is adopted: {rooted:,} of {report.rows:,} rows have a root, the others say why not."
    if report is not None and report.untold:
        yield (
            f"{report.untold:,} corrections wait to be told to others. A migration consumer (`llamalog "
            "migration-consumer`) publishes them when it runs; nothing else waits for that."
        )


def _with_root(counts: RootCounts) -> int:
    return counts.roots + counts.children + counts.adopted + counts.declared
