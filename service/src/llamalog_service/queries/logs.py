"""Searches of the log's rows: filters, newest or oldest first, one index leading."""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.events import Category, EntityType
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import expand, sql
from llamalog_service.queries.paging import (
    DEFAULT_LIMIT,
    MAX_BYTES,
    MAX_ROWS_SCANNED,
    NEWEST,
    OLDEST,
    Cursor,
    Page,
    at_most,
    before,
    fitting,
    position_of,
)
from llamalog_service.queries.rows import LogRow, brief_row, log_row


class Driver(StrEnum):
    """The way to the rows, with its value as $4; each has its index, nearly all in the order of time."""

    TIME = "(SELECT * FROM llama_logs WHERE $4::text IS NULL)"
    # Those of every day, which most rows are of, come soon enough by time: their index is without them.
    CATEGORY = (
        '(SELECT * FROM llama_logs WHERE category = ANY (ARRAY[$4::text::"LlamaLogCategory"])'
        " AND category NOT IN ('CREATED', 'ENRICHED'))"
    )
    JOB = "(SELECT * FROM llama_logs l WHERE {l bears $4::text})"
    # The index has the second alone: where a page begins and ends is said by it too.
    ENTITY = (
        "(SELECT * FROM llama_logs l WHERE {l is about $4::text::uuid}"
        " AND {second of l.created_at} {behind}= {second of $1::text::timestamp}"
        " AND {second of l.created_at} {ahead} {second of $3::text::timestamp})"
    )
    # Not by time: OFFSET 0 keeps the planner from reading by time in the hope to meet them soon.
    ROOT = "(SELECT * FROM llama_logs l WHERE {l stems from $4::text} OFFSET 0)"
    # Used where they are few; those of a producer of many rows come soon enough by time.
    PRODUCER = (
        "(SELECT * FROM llama_logs l"
        " WHERE l.producer_id = (SELECT p.id FROM event_producers p WHERE p.source = $4::text) OFFSET 0)"
    )
    TRACE = "(SELECT * FROM llama_logs l WHERE {l is of trace $4::text} OFFSET 0)"
    ORIGIN = '(SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = $4::text::"LlamaLogOrigin")'
    # Reason by reason, so that their index gives the order of time.
    UNKNOWN_ORIGIN = (
        "(SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = 'PENDING' AND $4::text IS NULL "
        "UNION ALL SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = 'CYCLE' "
        "UNION ALL SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = 'UNTRACKED' "
        "UNION ALL SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin IS NULL)"
    )
    IS_ROOT = "(SELECT * FROM llama_logs WHERE origin = 'ROOT' AND $4::text IS NULL)"
    ROOTS = "(SELECT * FROM llama_logs WHERE origin IN ('ROOT', 'ADOPTED') AND $4::text IS NULL)"


_RARE: Final = frozenset(Category) - {Category.CREATED, Category.ENRICHED}


class Search(NamedTuple):
    """The statements of a search."""

    driver: Driver
    newest_first: bool

    @property
    def page(self) -> str:
        """The rows that all filters let through, and at most so many."""
        return self._composed("logs_page")

    @property
    def brief_page(self) -> str:
        """The same rows, of each what a list shows."""
        return self._composed("logs_page", brief=True)

    @property
    def last_scanned(self) -> str:
        """The last of the rows that a page scanned, if it did not reach the end of all."""
        return self._composed("logs_last_scanned")

    def _composed(self, name: str, *, brief: bool = False) -> str:
        behind, ahead, order = ("<", ">=", "DESC") if self.newest_first else (">", "<=", "ASC")
        # Orders that only the driver's own index has, against hopes to meet its rows soon by reading by time.
        leading = ""
        if self.driver is Driver.CATEGORY:
            leading = f"l.category {order}, "
        elif self.driver is Driver.ENTITY:
            leading = expand(f"{{second of l.created_at}} {order}, ")
        if self.driver is Driver.JOB:
            order += " NULLS LAST" if self.newest_first else " NULLS FIRST"
        text = sql(name, brief=brief).replace("{rows}", expand(self.driver.value))
        text = text.replace("{leading}", leading)
        return text.replace("{behind}", behind).replace("{ahead}", ahead).replace("{order}", order)


class LogFilter(Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter of rows: every given condition must hold; without any, all rows match.

    Attributes:
        category: a label of the contract, or one of legacy rows; so are status and entity type.
        entity_id: rows about this entity.
        operation: the whole of it, or how it begins with a `*` at the end.
        source: one of the sources that the row names.
        job: rows that bear it.
        root: rows whose root it is.
        since: at this time or later; without a zone it is UTC.
        until: before this time.
        error: a text in the error's message or code, in any case.
        roots_only: rows of jobs that are their own root.
        unknown_origin_only: rows whose root is not known.
        producer: the whole source of the events.
        trace: the id of the distributed trace that the events were published in, 32 hexadecimal digits.
        q: a text in name, operation, job, error or reason, in any case.
    """

    category: str | None = None
    status: str | None = None
    entity_type: EntityType | None = None
    entity_id: UUID | None = None
    operation: str | None = None
    source: str | None = None
    user: str | None = None
    job: str | None = None
    root: str | None = None
    origin: Origin | None = None
    since: datetime | None = None
    until: datetime | None = None
    error: str | None = None
    roots_only: bool = False
    unknown_origin_only: bool = False
    producer: str | None = None
    trace: str | None = None
    q: str | None = None


async def read_logs(
    reader: Reader,
    wanted: LogFilter,
    *,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
    newest_first: bool = True,
    brief: bool = False,
) -> Page[LogRow]:
    """The rows that match, in the order of time.

    One index leads to the rows, that of the narrowest filter which has one; other filters are
    tried row by row, on at most `MAX_ROWS_SCANNED` rows a call. A page ends before `MAX_BYTES`, too.

    Args:
        brief: whether long values are cut, or left out, as lists show them.
    """
    limit = at_most(limit)
    driver, value = _driver(wanted)
    if driver is Driver.TIME and wanted.producer is not None:
        rows = await reader.value("producer_rows", wanted.producer, MAX_ROWS_SCANNED)
        if rows < MAX_ROWS_SCANNED:
            driver, value = Driver.PRODUCER, wanted.producer
    search = Search(driver, newest_first=newest_first)
    start, end = _span(wanted, after, newest_first=newest_first)
    led_to = (start.at, start.row, end, value)
    page = search.brief_page if brief else search.page
    found = await reader.run(page, *led_to, *_values(wanted), MAX_ROWS_SCANNED, limit + 1, MAX_BYTES)
    limit = fitting(found, limit)
    items = tuple(map(brief_row if brief else log_row, found[:limit]))
    if len(found) > limit:
        return Page(items=items, next=str(position_of(found[limit - 1])))
    last = await reader.run(search.last_scanned, *led_to, MAX_ROWS_SCANNED - 1)
    if not last:
        return Page(items=items)
    # Rows that came in between may have moved it: rows of this page are not scanned again.
    furthest = min if newest_first else max
    end_of_search = furthest([*last, *found[-1:]], key=lambda record: (record["created_at"], record["id"]))
    return Page(items=items, next=str(position_of(end_of_search)), searched_to=end_of_search["created_at"])


def _driver(wanted: LogFilter) -> tuple[Driver, str | None]:  # noqa: PLR0911 - the order is the point
    """The narrowest filter that has an index."""
    if wanted.job is not None:
        return Driver.JOB, wanted.job
    if wanted.trace is not None:
        return Driver.TRACE, wanted.trace
    if wanted.entity_id is not None:
        return Driver.ENTITY, str(wanted.entity_id)
    if wanted.root is not None:
        return Driver.ROOT, wanted.root
    if wanted.origin in (Origin.PENDING, Origin.CYCLE, Origin.UNTRACKED):
        return Driver.ORIGIN, wanted.origin
    if wanted.unknown_origin_only:
        return Driver.UNKNOWN_ORIGIN, None
    if wanted.roots_only or wanted.origin is Origin.ROOT:
        return Driver.IS_ROOT, None
    if wanted.category in _RARE:
        return Driver.CATEGORY, wanted.category
    return Driver.TIME, None


def _span(wanted: LogFilter, after: Cursor | None, *, newest_first: bool) -> tuple[Cursor, str]:
    """The first time, and the last time that counts."""
    oldest = "-infinity" if wanted.since is None else naive_utc(wanted.since).isoformat()
    newest = "infinity" if wanted.until is None else before(wanted.until).at
    if newest_first:
        start = NEWEST if wanted.until is None else Cursor(newest, NEWEST.row)
        return after or start, oldest
    start = OLDEST if wanted.since is None else before(wanted.since)
    return after or start, newest


def _values(wanted: LogFilter) -> tuple[object, ...]:
    return (
        wanted.category,
        wanted.status,
        wanted.entity_type,
        wanted.entity_id,
        operation_pattern(wanted.operation),
        wanted.source,
        wanted.user,
        wanted.job,
        wanted.root,
        wanted.origin,
        containing(wanted.error),
        wanted.roots_only,
        wanted.unknown_origin_only,
        containing(wanted.q),
        wanted.producer,
        wanted.trace,
    )


def operation_pattern(operation: str | None) -> str | None:
    """As LIKE has it: only a `*` at the end stands for anything."""
    if operation is None:
        return None
    return _literally(operation[:-1]) + "%" if operation.endswith("*") else _literally(operation)


def containing(text: str | None) -> str | None:
    """As LIKE has it: the text, anywhere."""
    return None if text is None else f"%{_literally(text)}%"


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
