"""`llamalog stats`: counts of the log over time, and of rows that need attention."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from msgspec import Struct
from rich.bar import Bar
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from llamalog_schemas.events import Category
from llamalog_service.bootstrap import open_log
from llamalog_service.cli.options import Json, Since, Until
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.queries.conflicts import ConflictCounts, count_conflicts
from llamalog_service.queries.counts import (
    UNPROCESSED,
    Bucket,
    Counts,
    UnknownOrigins,
    WaitingJob,
    read_counts,
    read_unknown_origins,
    read_waiting_jobs,
)
from llamalog_service.queries.paging import Page
from llamalog_service.settings import DatabaseSettings
from llamalog_service.telemetry.logging import printable, style_of

Each = Annotated[
    Bucket | None, typer.Option("--each", help="The time span of a line; by default as it fits.")
]

_DEFAULT_LIMIT = timedelta(days=7)
_BAR_WIDTH = 30
_WAITING_SHOWN = 10
_REASONS = {
    "PENDING": "the topmost job was never seen",
    "CYCLE": "the parents form a cycle",
    "UNTRACKED": "no job and no parent named",
    UNPROCESSED: "another writer's rows, not examined yet",
}


class Stats(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of `stats --json`; each part as in the API."""

    counts: Counts
    unknown_origins: UnknownOrigins
    waiting_jobs: Page[WaitingJob]
    conflicts: ConflictCounts


def stats(since: Since = None, until: Until = None, each: Each = None, as_json: Json = False) -> None:
    """Count the rows by category over time (the last 7 days), and what has no root or contradicts.

    Rows without a known root, jobs that are waited for and contradictions are counted over the whole log.
    """
    end = until or datetime.now(UTC)
    begin = since or _earlier(end, _DEFAULT_LIMIT)
    found = run(_read(read_database_settings(), begin, end, each or _fitting(end - begin)))
    if as_json:
        print_json(found)
        return
    for part in _parts(found):
        console.print(part)
        console.print()


async def _read(settings: DatabaseSettings, since: datetime, until: datetime, each: Bucket) -> Stats:
    async with open_log(settings) as reader:
        return Stats(
            counts=await read_counts(reader, since=since, until=until, bucket=each),
            unknown_origins=await read_unknown_origins(reader),
            waiting_jobs=await read_waiting_jobs(reader, limit=_WAITING_SHOWN),
            conflicts=await count_conflicts(reader),
        )


def _earlier(moment: datetime, span: timedelta) -> datetime:
    """A moment so long before another, at least the first moment that there is."""
    first = datetime.min.replace(tzinfo=UTC)
    return moment - span if moment - first > span else first


def _fitting(span: timedelta) -> Bucket:
    if span <= timedelta(days=2):
        return Bucket.HOUR
    return Bucket.DAY if span <= timedelta(days=90) else Bucket.WEEK


def _parts(stats: Stats) -> Iterator[RenderableType]:
    counts = stats.counts
    span = f"{counts.since:%Y-%m-%d %H:%M} to {counts.until:%Y-%m-%d %H:%M} UTC"
    if counts.buckets:
        yield _over_time(counts, f"Rows by {counts.bucket}, {span}")
    else:
        yield Text(f"No rows from {span}; --since looks further back.")
    yield _with_bars(
        "Origin unknown, in the whole log",
        [
            (Text(reason), _REASONS.get(reason, ""), rows)
            for reason, rows in stats.unknown_origins.by_reason.items()
        ],
    )
    yield _with_bars(
        "Jobs never seen that are waited for" + (", the first ones" if stats.waiting_jobs.next else ""),
        [
            (Text(printable(job.job)), f"since {job.since:%Y-%m-%d %H:%M}", job.rows)
            for job in stats.waiting_jobs.items
        ],
    )
    yield _with_bars("Contradictions", list(_contradictions(stats.conflicts)))
    yield Text("`llamalog logs --unknown` and `llamalog conflicts` have the rows.", "dim")


def _over_time(counts: Counts, title: str) -> Table:
    """A line for each bucket: the counts by category, and a bar of all."""
    shown = [word for word in Category if any(word in bucket.by_category for bucket in counts.buckets)]
    most = max(sum(bucket.by_category.values()) for bucket in counts.buckets)
    table = _table(title)
    table.add_column(no_wrap=True)
    for word in shown:
        icon, colour = style_of(word)
        table.add_column(Text(f"{icon} {word.lower()}", colour), justify="right", style=colour)
    table.add_column("all", justify="right", style="bold", no_wrap=True)
    table.add_column(max_width=_BAR_WIDTH)
    form = "%Y-%m-%d %H:%M" if counts.bucket is Bucket.HOUR else "%Y-%m-%d"
    for bucket in counts.buckets:
        in_all = sum(bucket.by_category.values())
        table.add_row(
            Text(f"{bucket.at:{form}}", "dim"),
            *(f"{count:,}" if (count := bucket.by_category.get(word)) else "" for word in shown),
            f"{in_all:,}",
            Bar(most, 0, in_all),
        )
    return table


def _contradictions(conflicts: ConflictCounts) -> Iterator[tuple[Text, str, int]]:
    yield Text("rival parents"), "rows that claim another parent than the one that counts", conflicts.parents
    yield Text("declarations"), "rows that declare another root than was found", conflicts.declarations
    cycles = f"rows on or below the {conflicts.cycles:,} of them"
    yield Text("cycles"), cycles, conflicts.rows_on_cycles


def _with_bars(title: str, lines: Sequence[tuple[Text, str, int]]) -> RenderableType:
    """Counts with a bar each; zeros are left out."""
    shown = [line for line in lines if line[2]]
    if not shown:
        return Text.assemble((title, "bold"), ": none")
    table = _table(title, show_header=False)
    for _ in range(2):
        table.add_column(overflow="fold")
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(max_width=_BAR_WIDTH)
    most = max(rows for *_, rows in shown)
    for what, meaning, rows in shown:
        table.add_row(what, Text(meaning, "dim"), f"{rows:,}", Bar(most, 0, rows))
    return table


def _table(title: str, *, show_header: bool = True) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="",
        show_header=show_header,
    )
