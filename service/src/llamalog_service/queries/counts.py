"""How much the log holds of what: over time, of unknown origin, waiting for a job never seen."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.paging import DEFAULT_LIMIT, OLDEST, Cursor, Page, at_most, place_of, utc

MAX_BUCKETS = 1_000
"""Over a longer time the counts are asked for in larger buckets, or one after another."""

COUNTED = 10_000
"""Rows that wait for a job are counted up to here."""

NOT_LOOKED_AT = "NOT_LOOKED_AT"
"""Stands for the origin of a row that another writer put into the table."""


class TooManyBucketsError(LlamalogError):
    """Counts are asked for over too long a time, in too small buckets."""


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
    """How many rows have no known root, by the reason: an origin, or `NOT_LOOKED_AT`."""

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
    """Rows by category from one moment up to before another. Each row of that time is looked at once.

    Raises:
        TooManyBucketsError: there would be more than `MAX_BUCKETS`.
        UnavailableError: PostgreSQL is away.
    """
    if utc(until) - utc(since) > MAX_BUCKETS * _LENGTHS[bucket]:
        raise TooManyBucketsError(
            f"From {since} to {until} there are more than {MAX_BUCKETS:,} times one {bucket}: "
            f"ask for a shorter time, or for larger buckets."
        )
    counts: dict[datetime, dict[str, int]] = {}
    for record in await reader.rows("counts", utc(since), utc(until), str(bucket)):
        counts.setdefault(record["at"], {})[record["category"]] = record["rows"]
    told = tuple(CategoryCounts(at=at, by_category=by_category) for at, by_category in counts.items())
    return Counts(bucket=bucket, since=since, until=until, buckets=told)


async def read_unknown_origins(reader: Reader) -> UnknownOrigins:
    """How many rows have no known root, and why; `read_logs` has the rows.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("unknown_origins")
    by_reason = {record["origin"] or NOT_LOOKED_AT: record["rows"] for record in found}
    return UnknownOrigins(rows=sum(by_reason.values()), by_reason=by_reason)


async def read_waiting_jobs(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[WaitingJob]:
    """The jobs that rows wait for, those that are waited for longest first.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    limit, place = at_most(limit), after or OLDEST
    found = await reader.rows("waiting_jobs", place.at, place.row, limit + 1, COUNTED)
    items = tuple(
        WaitingJob(job=record["job"], rows=record["rows"], since=record["created_at"])
        for record in found[:limit]
    )
    return Page(items=items, next=str(place_of(found[limit - 1])) if len(found) > limit else None)
