"""Live pages under difficulties: they show in the end what came meanwhile."""

import asyncio
from uuid import uuid4

import httpx
from playwright.async_api import Page, Route, expect

from browser.scene import Scene
from browser.story import about, known
from harness.api import running_api
from harness.browser import Witness
from harness.waiting import TIMEOUT
from llamalog_schemas.events import EntityCreated, EntityType


async def test_a_page_whose_stream_was_refused_goes_live_later(
    scene: Scene, page: Page, witness: Witness
) -> None:
    title = f"Later {uuid4()}"
    album = (EntityType.ALBUM, known(title))
    full = scene.settings.model_copy(update={"api_streams": 1})
    async with running_api(full) as api:
        async with (
            httpx.AsyncClient(base_url=api.url, timeout=60) as client,
            client.stream("GET", "/logs/stream") as taken,
        ):
            lines = aiter(taken.aiter_lines())  # kept: without it the stream would be closed
            assert await anext(lines)
            await page.goto(f"{api.url}/ui/logs")
            sign = page.locator(".live")
            await expect(sign).to_have_text("not live, retrying")
            await scene.publish(about(EntityCreated, album, f"job {title}", metadata={"title": title}))
            await scene.recorded(album[1])
        await expect(sign).to_have_text("live", timeout=90_000)
        await expect(page.locator(".tree > li", has_text=title)).to_be_visible()
    witness.expected("503")


_HEAR = """() => {
    window.heard = "";
    new EventSource("/logs/stream").addEventListener("row", (event) => { window.heard += event.data; });
}"""


async def test_a_row_that_comes_while_the_list_is_fetched_is_shown_too(
    scene: Scene, page: Page, witness: Witness
) -> None:
    is_fetched, may_arrive = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        if is_fetched.is_set() or route.request.resource_type != "fetch":
            await route.continue_()
            return
        answer = await route.fetch()
        is_fetched.set()
        await may_arrive.wait()
        await route.fulfill(response=answer)

    await page.goto(f"{scene.url}/ui/logs")
    await expect(page.locator(".live[data-state=on]")).to_be_visible()
    await page.evaluate(_HEAR)
    await page.route("**/ui/logs", hold)
    first, second = (f"{place} {uuid4()}" for place in ("First", "Second"))
    for title in (first, second):
        album = (EntityType.ALBUM, known(title))
        await scene.publish(about(EntityCreated, album, f"job {title}", metadata={"title": title}))
        if title == first:
            await asyncio.wait_for(is_fetched.wait(), TIMEOUT)
    await page.wait_for_function("title => window.heard.includes(title)", arg=second, timeout=TIMEOUT * 1000)
    may_arrive.set()
    for title in (first, second):
        await expect(page.locator(".tree > li", has_text=title)).to_be_visible()
