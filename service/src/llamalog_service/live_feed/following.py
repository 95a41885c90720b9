"""Follow the log: rows of the table, then the provenance topic, without a gap or a repetition."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Final

import msgspec
from cachetools import LRUCache

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.kafka.following import OpenProvenanceFollower, ProvenanceFollower
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.rows import LogRow, provenance_row
from llamalog_service.retry import retry_until_available

_REMEMBERED: Final = 100_000
"""Rows whose last revision is remembered; redelivery repeats recent ones."""


async def follow_log(
    open_topic: OpenProvenanceFollower,
    wanted: LogFilter,
    *,
    read: Callable[[], Awaitable[Sequence[LogRow]]],
    show: Callable[[LogRow], None],
    on_availability: Callable[[str | None], None],
    timeout: float,
) -> None:
    """Show rows of the table, then every row that is written or corrected, until cancelled.

    The topic is read from before the table is, so that no row falls between the two.

    Args:
        wanted: only such rows of the topic are shown.
        read: reads the rows of the table.
        show: called with each of these in order, then with the others as they come; a corrected row is shown
            again.
        on_availability: called with the reason while Kafka is unavailable, and with None once it is back.
        timeout: seconds to wait for Kafka at the beginning.

    Raises:
        TopicAbsentError: there is no topic of provenance.
        UnavailableError: PostgreSQL is unavailable at the beginning, or Kafka for longer than `timeout`.
    """
    async with AsyncExitStack() as stack:

        async def open_follower() -> ProvenanceFollower:
            return await stack.enter_async_context(open_topic(None))

        follower = await retry_until_available(
            open_follower, doing="opening the provenance topic", timeout=timeout
        )
        rows = await read()
        for row in rows:
            show(row)
        seen, is_available = SeenRevisions(rows), True
        async for batch in follower:
            if batch.unavailable is not None or not is_available:
                on_availability(batch.unavailable)
            is_available = batch.unavailable is None
            for live in batch.rows:
                row = provenance_row(live.row)
                if seen.add(row) and matches(wanted, row):
                    show(row)


class SeenRevisions:
    """The revisions that a follower has received: none is shown twice, and no older one after a newer.

    Args:
        rows: read from the table after the follower was opened.
    """

    def __init__(self, rows: Iterable[LogRow] = ()) -> None:
        self._revisions: LRUCache[bytes, int] = LRUCache(_REMEMBERED)
        for row in rows:
            self.add(row)

    def add(self, row: LogRow) -> bool:
        """Add a revision of a row; whether it is newer than those seen of the row."""
        known = self._revisions.get(row.id.bytes, 0)
        if row.revision <= known:
            return False
        self._revisions[row.id.bytes] = row.revision
        return True


def matches(wanted: LogFilter, row: LogRow) -> bool:
    """Whether a row matches a filter, as `read_logs` would select it from the table."""
    return (
        _is(wanted.category, row.category)
        and _is(wanted.status, row.status)
        and _is(wanted.entity_type, row.entity_type)
        and _is(wanted.entity_id, row.entity_id)
        and _is_operation(wanted.operation, row.operation)
        and (wanted.source is None or wanted.source in row.sources)
        and _is(wanted.user, row.user_id)
        and _is(wanted.job, row.job_id)
        and _is(wanted.root, row.root_job_id)
        and _is(wanted.origin, row.origin)
        and _is(wanted.producer, row.producer)
        and _is(wanted.trace, row.trace_id)
        and (wanted.since is None or naive_utc(row.created_at) >= naive_utc(wanted.since))
        and (wanted.until is None or naive_utc(row.created_at) < naive_utc(wanted.until))
        and _holds(wanted.error, (row.error_message, row.error_code))
        and not (wanted.roots_only and row.origin is not Origin.ROOT)
        and not (wanted.unknown_origin_only and row.root_job_id is not None)
        and _holds(wanted.q, _searched(row))
    )


def _is(wanted: object, found: object) -> bool:
    return wanted is None or wanted == found


def _is_operation(wanted: str | None, operation: str) -> bool:
    if wanted is None or not wanted.endswith("*"):
        return _is(wanted, operation)
    return operation.startswith(wanted[:-1])


def _holds(wanted: str | None, texts: Sequence[str | None]) -> bool:
    if wanted is None:
        return True
    return any(wanted.lower() in text.lower() for text in texts if text is not None)


def _searched(row: LogRow) -> Sequence[str | None]:
    metadata = row.metadata if isinstance(row.metadata, dict) else {}
    names = (_as_text(metadata.get(name)) for name in ("title", "name"))
    return (row.operation, row.job_id, row.reason, row.error_message, row.error_code, *names)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
