"""Rows as they were believed to be at a time: with the roots and origins that they had then.

The history keeps roots and origins; parents follow from the rows that were recorded by then. What a row bears
itself is as it is now, and rows that a repair has removed since are not there.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.lineages import MAX_ABOVE, Parents
from llamalog_service.queries.root_changes import require_history
from llamalog_service.queries.rows import LogRow, log_row


class Past(NamedTuple):
    """Rows with the roots that they had, and the parents of their jobs that counted then."""

    records: Sequence[Row]
    parents: Parents


async def read_past(reader: Reader, records: Sequence[Row], at: datetime) -> Past:
    """The rows of a query as of a time: three queries, however many rows.

    Raises:
        HistoryTooShortError: the history does not reach back so far, or was cut while it was read.
    """
    jobs = {record["parent_job_id"] if record["job_id"] is None else record["job_id"] for record in records}
    jobs.discard(None)
    parents: Parents = {}
    if jobs:
        found = await reader.rows("parents_as_of", sorted(jobs), MAX_ABOVE, at)
        parents = {record["job"]: record["parent"] for record in found}
    roots = await reader.rows("roots_as_of", [record["id"] for record in records], at)
    await require_history(reader, at)  # what was read before may have been cut meanwhile
    by_id = {root["id"]: root for root in roots}
    kept = [record for record in records if record["id"] in by_id]  # one may have been removed just now
    return Past([_as_it_was(record, by_id[record["id"]], parents) for record in kept], parents)


async def read_row_as_of(reader: Reader, row: UUID, at: datetime) -> LogRow | None:
    """A row as of a time; None where there was none.

    Raises:
        HistoryTooShortError: the history does not reach back so far.
    """
    past = await read_past(reader, await reader.rows("row", row), at)
    return log_row(past.records[0]) if past.records else None


def _as_it_was(record: Row, root: Row, parents: Parents) -> Row:
    job, claimed = record["job_id"], record["parent_job_id"]
    claims = None not in (job, claimed) and not root["retracted"]
    keeps_cycle = root["origin"] == Origin.CYCLE and not root["is_older"]
    return {
        **record,
        "root_job_id": root["root_job_id"],
        "origin": root["origin"],
        "cycle_members": record["cycle_members"] if keeps_cycle else None,
        "parent_conflict": claims and claimed != parents.get(job),
        "retracted": root["retracted"],
        "parents": None,
    }
