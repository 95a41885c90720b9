"""Clients for following the log from a terminal."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from llamalog_service.kafka.following import open_provenance_follower
from llamalog_service.live_feed import following
from llamalog_service.queries.logs import LogFilter
from llamalog_service.queries.rows import LogRow
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
    """Follow the log; arguments and errors as of `live_feed.following.follow_log`."""
    await following.follow_log(
        partial(open_provenance_follower, settings),
        wanted,
        read=read,
        show=show,
        on_availability=on_availability,
        timeout=timeout,
    )
