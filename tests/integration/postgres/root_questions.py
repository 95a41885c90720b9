"""Queries about roots, why they are so and what they were, for the tests of plans."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from harness.big_log import BIG_ROOT, BigLog, job_of
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.as_of import read_row_as_of
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.explanations import explain_job, explain_row
from llamalog_service.queries.jobs import read_tree
from llamalog_service.queries.retractions import read_retractions_of
from llamalog_service.queries.timeline import read_timeline

Question = tuple[str, Callable[[Reader], Awaitable[Any]], int]


def questions_of_roots(log: BigLog, album: EntityRef) -> list[Question]:
    """The query, how it is made, and how many rows of the log it may read.

    Args:
        album: one of many.
    """
    return [
        ("why a row has its root", lambda r: explain_row(r, UUID(int=7)), 30),
        ("why a job has its root", lambda r: explain_job(r, job_of(54_321, "track-enrich-3-")), 200),
        ("why a job never seen has none", lambda r: explain_job(r, "never-seen-7"), 30),
        (
            "the run behind a change",
            lambda r: r.rows("runs_of_changes", [UUID(int=1)], [job_of(54_321)], datetime.now(UTC)),
            10,
        ),
        (
            "the retraction behind a change",
            lambda r: r.rows("retractions_of_changes", [UUID(int=1)], [job_of(54_321)], UUID(int=7), 9),
            10,
        ),
        ("who took rows back", lambda r: read_retractions_of(r, [UUID(int=7), UUID(int=8)]), 0),
        ("a row as of a time", lambda r: read_row_as_of(r, UUID(int=7), datetime.now(UTC)), 10),
        ("a timeline as of a time", lambda r: read_timeline(r, album, as_of=datetime.now(UTC)), 300),
        (
            "a big tree as of a time",
            lambda r: read_tree(r, BIG_ROOT, as_of=datetime.now(UTC)),
            3 * log.big_root_rows,
        ),
    ]
