"""The log read, and followed: rows from PostgreSQL, then what Kafka tells, without a gap or a repetition."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from llamalog_service.kafka.provenance_feed import ProvenanceFeed, open_provenance_feed
from llamalog_service.live_feed.matching import Told, takes
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.rows import LogRow, provenance_row
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import DatabaseSettings, Settings


@asynccontextmanager
async def open_log(settings: DatabaseSettings) -> AsyncIterator[Reader]:
    """Reads of the log, over a pool of its own."""
    async with open_pool(settings, name="llamalog reading", only_reads=True) as pool:
        yield Reader(pool)


async def follow_log(
    settings: Settings,
    wanted: LogFilter,
    *,
    read: Callable[[Reader], Awaitable[Sequence[LogRow]]],
    show: Callable[[LogRow], None],
    say_away: Callable[[str | None], None],
    timeout: float,
) -> None:
    """Hand on rows of the table, then every row written or corrected from then on, until cancelled.

    What the topic tells is heard from before the table is read, so that nothing falls between the two.

    Args:
        wanted: of what is told later, only such rows are handed on.
        read: reads the rows that come first.
        show: gets each of these in order, then the others as they come; a corrected row comes again.
        say_away: told why nothing is heard while Kafka is away, and None once it is back.
        timeout: seconds to wait for Kafka at the beginning.

    Raises:
        TopicAbsentError: there is no topic of provenance.
        UnavailableError: PostgreSQL is away at the beginning, or Kafka for longer than `timeout`.
    """
    async with AsyncExitStack() as stack:

        async def open_feed() -> ProvenanceFeed:
            return await stack.enter_async_context(open_provenance_feed(settings))

        feed = await retry_until_available(
            open_feed, doing="listening to the provenance topic", timeout=timeout
        )
        async with open_log(settings) as reader:
            rows = await read(reader)
        for row in rows:
            show(row)
        told, is_away = Told(rows), False
        async for heard in feed:
            if heard.away is not None or is_away:
                say_away(heard.away)
            is_away = heard.away is not None
            for row in map(provenance_row, heard.records):
                if told.is_news(row) and takes(wanted, row):
                    show(row)
