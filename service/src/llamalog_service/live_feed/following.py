"""Follow the log: rows of the table, then the provenance topic, without a gap or a repetition."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from llamalog_service.kafka.feeds import ProvenanceFeed, open_provenance_feed
from llamalog_service.live_feed.matching import SeenRevisions, matches
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.rows import LogRow, provenance_row
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings


async def follow_log(
    settings: Settings,
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

        async def open_feed() -> ProvenanceFeed:
            return await stack.enter_async_context(open_provenance_feed(settings))

        feed = await retry_until_available(open_feed, doing="opening the provenance topic", timeout=timeout)
        rows = await read()
        for row in rows:
            show(row)
        seen, is_available = SeenRevisions(rows), True
        async for batch in feed:
            if batch.unavailable is not None or not is_available:
                on_availability(batch.unavailable)
            is_available = batch.unavailable is None
            for live in batch.rows:
                row = provenance_row(live.row)
                if seen.add(row) and matches(wanted, row):
                    show(row)
