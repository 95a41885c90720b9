"""Changes of many rows, some pages of the table at a time, in short transactions that tell their progress."""

import structlog
from sqlalchemy.exc import DBAPIError

from llamalog_service.adoption.migration_runner import MigrationProgress
from migrations.altering import is_lock_conflict, report_progress, run, wait
from migrations.journal import inspect_schema

_PAGES_AT_ONCE = 128
"""A MiB of the table, some thousand rows: tens of milliseconds."""

_PAUSE = 0.1
_log = structlog.get_logger(__name__)


def change_rows(what: str, statement: str, where: str, *, passes: int | None = None) -> None:
    """Change all rows of which a condition holds; safe to repeat, and to interrupt anywhere.

    Rows that stood when it began are found in the first pass, but for one that is written meanwhile:
    it may move to a page already passed.

    Args:
        what: for people who wait.
        statement: changes rows of the log, there called `l`, such that the condition no longer holds for
            them; says in `{rows}` where the batch's condition goes.
        where: the condition, on `l`.
        passes: give up looking after so many, where others may write such rows as fast as they are
            changed, and who comes later changes them as well; else it looks until there are none.
    """
    found = inspect_schema()
    total = found.rows(where)
    done = 0
    if total:
        report_progress(MigrationProgress(what, done, total))
    left = passes
    while found.any_rows(where) and left != 0:
        done += _pass(what, statement, where, done, total)
        left = None if left is None else left - 1


def _pass(what: str, statement: str, where: str, done_before: int, total: int) -> int:
    """Go once through the table as large as it is now; how many rows were changed."""
    done, page, pages, end = 0, 0, _PAGES_AT_ONCE, inspect_schema().pages()
    while page <= end:
        batch = f"({where}) AND l.ctid >= '({page},0)' AND l.ctid < '({page + pages},0)'"
        try:
            changed = run(statement.replace("{rows}", batch)).rowcount
        except DBAPIError as error:
            if not is_lock_conflict(error):
                raise
            if pages == _PAGES_AT_ONCE:
                _log.info("waiting for rows that another session is changing", what=what)
            pages = max(1, pages // 2)
            wait(_PAUSE)
            continue
        page += pages
        pages = min(_PAGES_AT_ONCE, 2 * pages)
        if changed:
            done += changed
            report_progress(MigrationProgress(what, min(done_before + done, total), total))
    return done
