"""The live feed: every listener gets each row; a slow one gets the number of missed rows."""

import asyncio
from uuid import UUID

from harness.provenance_messages import row
from llamalog_service.live_feed.feed import FeedEvent, FeedItem, FeedState, Gap, LiveFeed


def add(feed: LiveFeed, number: int, cost: int = 10) -> None:
    feed.append(row(UUID(int=number)), cost)


async def take(feed: LiveFeed, count: int, last: str | None = None) -> list[FeedEvent]:
    heard: list[FeedEvent] = []
    following = feed.follow(last)
    async for item in following:
        heard.append(item)
        if len(heard) == count:
            break
    await following.aclose()
    return heard


def rows_in(heard: list[FeedEvent]) -> list[int]:
    return [item.row.id.int for item in heard if isinstance(item, FeedItem)]


async def test_every_listener_hears_every_row_in_order() -> None:
    feed = LiveFeed()
    feed.set_state(FeedState.LIVE)
    listeners = [asyncio.create_task(take(feed, 4)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in (1, 2, 3):
        add(feed, number)
        await asyncio.sleep(0)
    for heard in await asyncio.gather(*listeners):
        assert heard[0] is FeedState.LIVE
        assert rows_in(heard) == [1, 2, 3]


async def test_a_slow_listener_gets_the_number_that_it_has_missed_and_the_feed_does_not_grow() -> None:
    feed = LiveFeed()
    following = feed.follow()
    assert await anext(following) is FeedState.CONNECTING
    for number in range(20_000):
        add(feed, number)
    assert await anext(following) == Gap(15_000)
    first = await anext(following)
    assert isinstance(first, FeedItem)
    assert first.row.id.int == 15_000
    await following.aclose()


async def test_large_rows_leave_the_ring_sooner() -> None:
    feed = LiveFeed()
    following = feed.follow()
    await anext(following)
    for number in range(100):
        add(feed, number, 1024 * 1024)
    assert await anext(following) == Gap(36)
    await following.aclose()


async def test_a_listener_that_stops_in_the_middle_holds_no_rows_that_have_left_the_ring() -> None:
    feed = LiveFeed()
    following = feed.follow()
    await anext(following)
    for number in range(300):
        add(feed, number)
    first = await anext(following)
    assert isinstance(first, FeedItem)
    for number in range(6000):
        add(feed, 1000 + number)
    assert await anext(following) == Gap(300 + 6000 - 5000 - 1)
    await following.aclose()


async def test_a_listener_that_comes_back_goes_on_where_it_was() -> None:
    feed = LiveFeed()
    waiting = asyncio.create_task(take(feed, 2))
    await asyncio.sleep(0)
    add(feed, 1)
    first = (await waiting)[1]
    assert isinstance(first, FeedItem)
    add(feed, 2)
    assert rows_in(await take(feed, 2, feed.cursor_of(first))) == [2]
    for nonsense in ("", "-", "x-1", f"{feed.epoch}-99", f"{feed.epoch}-{'9' * 40}", f"{feed.epoch}-²"):
        assert (await take(feed, 1, nonsense)) == [Gap(None)]


async def test_it_is_wanted_while_a_client_listens() -> None:
    feed = LiveFeed()
    assert not feed.has_listeners.is_set()
    following = feed.follow()
    await anext(following)
    assert feed.has_listeners.is_set()
    await following.aclose()
    assert not feed.has_listeners.is_set()
