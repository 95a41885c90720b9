"""The live feed as server-sent events, for whoever asks with a filter."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sse_starlette import ServerSentEvent

from llamalog_service.http.streams import event
from llamalog_service.live_feed.matching import row_of, takes
from llamalog_service.live_feed.ring import Feed, FeedState, Gap, Told
from llamalog_service.queries.logs import LogFilter


async def log_events(
    feed: Feed, wanted: LogFilter, last: str | None
) -> AsyncGenerator[ServerSentEvent, None]:
    """The rows that are wanted, as events; and how the feed stands."""
    async with aclosing(feed.follow(last)) as following:
        async for news in following:
            match news:
                case Told():
                    row = row_of(news.row)
                    if takes(wanted, row):
                        yield event("row", row, feed.place_of(news))
                case Gap():
                    yield event("gap", {"missed": news.missed})
                case FeedState():
                    yield event(news.value, {})
