"""Counts of the log: over time, of unknown origin, waiting for a job, left to do; gauges."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.paging import DEFAULT_LIMIT, OLDEST, Cursor, Page, at_most, page_of
from llamalog_service.telemetry.metrics import MAX_COUNTED, Pending, TableStats

MAX_BUCKETS = 1_000
"""A longer time takes larger buckets, or several requests."""

COUNTED = 10_000
"""Rows that wait for a job are counted up to here."""

UNPROCESSED = "UNPROCESSED"
"""In place of an origin: a row of another writer that is not processed yet."""

_UNRESOLVED = ("PENDING", "DECLARED", UNPROCESSED)


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
    """Numbers of rows without a known root, by the reason: an origin, or `UNPROCESSED`."""

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


class ProducerCount(Struct, frozen=True, kw_only=True, rename="camel"):
    """A producer, which is the source of its events.

    Attributes:
        rows: of its events.
        last_event_at: the latest time of these events.
    """

    producer: str
    rows: int
    last_event_at: datetime


class ProducerCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """The producers of the log.

    Attributes:
        producers: those of the most rows first.
        are_more: whether there are more.
        legacy_rows: rows that were in the table before events were; they have no producer.
        not_kept: rows recorded before producers were; a rebuild with `--repair` fills them in.
    """

    producers: tuple[ProducerCount, ...]
    are_more: bool
    legacy_rows: int
    not_kept: int


async def read_producers(reader: Reader, *, limit: int = DEFAULT_LIMIT) -> ProducerCounts:
    """The producers with counts of their rows. Each row of the log is read once."""
    limit = at_most(limit)
    found = await reader.rows("producers", limit + 3)  # two lines of them have no producer
    without = {record["is_legacy"]: record["rows"] for record in found if record["producer"] is None}
    named = [record for record in found if record["producer"] is not None]
    return ProducerCounts(
        producers=tuple(
            ProducerCount(
                producer=record["producer"], rows=record["rows"], last_event_at=record["last_event_at"]
            )
            for record in named[:limit]
        ),
        are_more=len(named) > limit,
        legacy_rows=without.get(True, 0),
        not_kept=without.get(False, 0),
    )


async def read_counts(reader: Reader, *, since: datetime, until: datetime, bucket: Bucket) -> Counts:
    """Rows by category from one moment up to before another. Each row of that time is read once.

    Raises:
        TooManyBucketsError: there would be more than `MAX_BUCKETS`.
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
    """Count the rows without a known root, by the reason; `read_logs` has the rows."""
    found = await reader.rows("unknown_origins")
    by_reason = {record["origin"] or UNPROCESSED: record["rows"] for record in found}
    return UnknownOrigins(rows=sum(by_reason.values()), by_reason=by_reason)


async def read_waiting_jobs(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[WaitingJob]:
    """The jobs that rows wait for, those that are waited for longest first."""
    limit, position = at_most(limit), after or OLDEST
    found = await reader.rows("waiting_jobs", position.at, position.row, limit + 1, COUNTED)
    return page_of(
        found,
        limit,
        lambda record: WaitingJob(job=record["job"], rows=record["rows"], since=record["created_at"]),
    )


class WorkLeft(Struct, frozen=True, kw_only=True, rename="camel"):
    """Work that is recorded and not done yet.

    Attributes:
        open_runs: runs that are not completed.
        unpublished: corrections that are not published.
    """

    open_runs: int
    unpublished: int


async def read_work_left(reader: Reader) -> WorkLeft:
    """The work that is left; cheap at any size of the log."""
    return WorkLeft(**await reader.row("work_left"))


async def read_table_stats(reader: Reader) -> TableStats:
    """The statistics of this moment."""
    unresolved = await read_unresolved(reader)
    outbox = await reader.row("gauge_outbox", MAX_COUNTED)
    return TableStats(
        unresolved={origin: unresolved.get(origin, Pending(0, 0)) for origin in _UNRESOLVED},
        outbox=Pending(outbox["rows"], outbox["oldest"]),
        refused=await reader.value("gauge_refused", MAX_COUNTED),
        runs={record["status"]: record["runs"] for record in await reader.rows("gauge_runs")},
        bytes=await reader.value("gauge_size"),
        history_age=await reader.value("gauge_history"),
    )


async def read_unresolved(reader: Reader) -> Mapping[str, Pending]:
    """Rows whose root may still become known, by origin."""
    return {
        record["origin"] or UNPROCESSED: Pending(record["rows"], record["oldest"])
        for record in await reader.rows("gauge_unresolved", MAX_COUNTED)
    }


async def read_depths(reader: Reader, jobs: Collection[str]) -> Mapping[str, int]:
    """Count the jobs above each of these; jobs on cycles are left out."""
    records = await reader.rows("chain_depth", list(jobs)) if jobs else ()
    return {record["job"]: record["depth"] for record in records}
