"""How much the log holds of what: over time, of unknown origin, waiting for a job never seen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.paging import DEFAULT_LIMIT, OLDEST, Cursor, Page, at_most, page_of

MAX_BUCKETS = 1_000
"""A longer time takes larger buckets, or several requests."""

COUNTED = 10_000
"""Rows that wait for a job are counted up to here."""

UNPROCESSED = "UNPROCESSED"
"""In place of an origin: a row of another writer that is not processed yet."""


class TooManyBucketsError(LlamalogError):
    """The requested time is too long for buckets so small."""


class Bucket(StrEnum):
    """For how long a time each count is; in UTC, a week from Monday on."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


_LENGTHS = {Bucket.HOUR: timedelta(hours=1), Bucket.DAY: timedelta(days=1), Bucket.WEEK: timedelta(days=7)}


class CategoryCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """The rows of one time, by category; what there was none of is left out.

    Attributes:
        at: the beginning of the bucket.
    """

    at: datetime
    by_category: dict[str, int]


class Counts(Struct, frozen=True, kw_only=True, rename="camel"):
    """Rows by category over time, by the events' times; buckets without rows are left out."""

    bucket: Bucket
    since: datetime
    until: datetime
    buckets: tuple[CategoryCounts, ...]


class UnknownOrigins(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many rows have no known root, by the reason: an origin, or `UNPROCESSED`."""

    rows: int
    by_reason: Mapping[str, int]


class WaitingJob(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job never seen that others name as their parent.

    Attributes:
        rows: that have no known root because of it, counted to `COUNTED`.
        since: the time of the earliest row that names it.
    """

    job: str
    rows: int
    since: datetime


async def read_counts(reader: Reader, *, since: datetime, until: datetime, bucket: Bucket) -> Counts:
    """Rows by category from one moment up to before another. Each row of that time is read once.

    Raises:
        TooManyBucketsError: there would be more than `MAX_BUCKETS`.
        UnavailableError: PostgreSQL is away.
    """
    if naive_utc(until) - naive_utc(since) > MAX_BUCKETS * _LENGTHS[bucket]:
        raise TooManyBucketsError(
            f"From {since} to {until} there are more than {MAX_BUCKETS:,} times one {bucket}: "
            f"ask for a shorter time, or for larger buckets."
        )
    counts: dict[datetime, dict[str, int]] = {}
    for record in await reader.rows("counts", naive_utc(since), naive_utc(until), str(bucket)):
        counts.setdefault(record["at"], {})[record["category"]] = record["rows"]
    filled = tuple(CategoryCounts(at=at, by_category=by_category) for at, by_category in counts.items())
    return Counts(bucket=bucket, since=since, until=until, buckets=filled)


async def read_unknown_origins(reader: Reader) -> UnknownOrigins:
    """How many rows have no known root, and why; `read_logs` has the rows.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("unknown_origins")
    by_reason = {record["origin"] or UNPROCESSED: record["rows"] for record in found}
    return UnknownOrigins(rows=sum(by_reason.values()), by_reason=by_reason)


async def read_waiting_jobs(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[WaitingJob]:
    """The jobs that rows wait for, those that are waited for longest first.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    limit, position = at_most(limit), after or OLDEST
    found = await reader.rows("waiting_jobs", position.at, position.row, limit + 1, COUNTED)
    return page_of(
        found,
        limit,
        lambda record: WaitingJob(job=record["job"], rows=record["rows"], since=record["created_at"]),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """What was done, and what is left to do.

    Attributes:
        messages_read: recorded by the provenance consumer, with every outcome.
        overrides: messages that were operators' overrides; they write no row.
        repairs: commands completed.
        open_repairs: commands kept that are not completed.
        unpublished: corrections that are not published yet.
    """

    messages_read: int
    overrides: int
    repairs: int
    open_repairs: int
    unpublished: int

    def since(self, before: "Work") -> "Work":
        """What was added since an earlier moment."""
        return Work(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the log.

    Attributes:
        corrected: those that changed after they were written.
        parent_conflicts: those that claim another parent than the one that counts.
        declaration_conflicts: those that declare another root than the one that was found.
    """

    by_origin: Mapping[str, int]
    corrected: int
    parent_conflicts: int
    declaration_conflicts: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_origin.values())

    def since(self, before: "Rows") -> "Rows":
        """What was added since an earlier moment; an origin that rows have left becomes negative."""
        return Rows(
            _difference(self.by_origin, before.by_origin),
            self.corrected - before.corrected,
            self.parent_conflicts - before.parent_conflicts,
            self.declaration_conflicts - before.declaration_conflicts,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of an installation at one moment, or between two.

    Attributes:
        dead_letters: messages that became dead letters, by reason; one rejected twice counts once.
        provenance_records: published.
    """

    work: Work
    rows: Rows
    dead_letters: Mapping[str, int]
    provenance_records: int

    @property
    def duplicates(self) -> int:
        """Messages read that neither wrote anything nor were refused: known already, or tombstones."""
        return (
            self.work.messages_read - self.work.overrides - self.rows.total - sum(self.dead_letters.values())
        )

    def since(self, before: "Summary") -> "Summary":
        """What was added since an earlier moment."""
        return Summary(
            self.work.since(before.work),
            self.rows.since(before.rows),
            _difference(self.dead_letters, before.dead_letters),
            self.provenance_records - before.provenance_records,
        )


async def read_work(reader: Reader, *, group: str, topic: str) -> Work:
    """Count finished and open work; cheap at any size of the log.

    Args:
        group: of the provenance consumer.
        topic: of the entity events.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    return Work(**await reader.row("summary_work", group, topic))


async def read_rows(reader: Reader) -> Rows:
    """Count the rows; reads all of the log.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    records = await reader.rows("summary_rows")
    return Rows(
        {record["origin"] or UNPROCESSED: record["rows"] for record in records},
        sum(record["corrected"] for record in records),
        sum(record["parent_conflicts"] for record in records),
        sum(record["declaration_conflicts"] for record in records),
    )


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    changed = Counter(after)
    changed.subtract(before)
    return {name: count for name, count in changed.items() if count}
