"""What a migration would find and do, without doing any of it."""

from collections.abc import Iterator
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection

from llamalog_service.adoption.adoptable import StartingPoint, problems_of, starting_point
from llamalog_service.adoption.compat_view import preview_compat_view
from llamalog_service.adoption.schema_inspector import Preview, Standing

COMPAT_VIEW_STEP = "--compat-view"
"""Stands for the revision of the step that no revision makes."""

_STANDS = {
    StartingPoint.EMPTY: "no table of the log",
    StartingPoint.FIRST: "{table} as first described",
    StartingPoint.WITH_IS_ROOT_JOB: "{table} with is_root_job",
    StartingPoint.WITH_CATEGORY: "{table} with category",
    StartingPoint.WITH_ROOTS: "{table} with LINKED and root_job_id",
}


class PlannedStep(Struct, frozen=True):
    """Something that a revision is to do, and how many rows of the log it changes or has to write."""

    revision: str
    what: str
    rows: int


class MigrationCheck(Struct, frozen=True):
    """What stands in a database, and what a migration would do.

    Attributes:
        start: the starting point as it was recognised, in words.
        revision: what our migrations have made of it so far; None if none was ever run.
        rows: of the log.
        problems: why the table can't be taken over; where there are any, nothing will be done.
        steps: in their order; none where the database is up to date.
    """

    start: str
    revision: str | None
    rows: int
    problems: tuple[str, ...]
    steps: tuple[PlannedStep, ...]

    @property
    def is_migrated(self) -> bool:
        """Whether no revision is to come."""
        return not self.problems and all(step.revision == COMPAT_VIEW_STEP for step in self.steps)

    @property
    def finds_no_log(self) -> bool:
        """Whether there is no table that could be taken over."""
        return self.revision is None and self.start == _STANDS[StartingPoint.EMPTY]


def check(
    connection: Connection, config: Config, revision: str | None, todo: list[str], *, compat_view: bool
) -> MigrationCheck:
    """Look at everything, change nothing.

    Args:
        revision: that the database is at.
        todo: the revisions that it lacks.
        compat_view: whether the view is wanted too.
    """
    found = Standing(connection)
    problems = problems_of(found) if todo else []
    return MigrationCheck(
        start=_STANDS[starting_point(found)].format(table=found.table),
        revision=revision,
        rows=found.rows(),
        problems=tuple(problems),
        steps=() if problems else tuple(_steps(found, config, todo, compat_view=compat_view)),
    )


def _steps(found: Standing, config: Config, todo: list[str], *, compat_view: bool) -> Iterator[PlannedStep]:
    script = ScriptDirectory.from_config(config)
    for revision in todo:
        for what, rows in _preview(script.get_revision(revision).module, found):
            yield PlannedStep(revision, what, rows)
    if compat_view:
        for what, rows in preview_compat_view(found):
            yield PlannedStep(COMPAT_VIEW_STEP, what, rows)


def _preview(module: Any, found: Standing) -> Iterator[Preview]:
    """A revision that touches nothing of the log says what it does in its first line alone."""
    if hasattr(module, "preview"):
        yield from module.preview(found)
    else:
        yield Preview(module.__doc__.partition("\n")[0].rstrip("."))
