"""A live page whose stream was refused: it tries again, and shows what came meanwhile."""

from uuid import uuid4

import httpx
from playwright.async_api import Page, expect

from browser.scene import Scene
from browser.story import known, said
from harness.api import running_api
from harness.browser import Witness
from llamalog_schemas.events import EntityCreated, EntityType


async def test_a_page_whose_stream_was_refused_goes_live_later(
    scene: Scene, page: Page, witness: Witness
) -> None:
    title = f"Later {uuid4()}"
    told = (EntityType.ALBUM, known(title))
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
            await scene.say(said(EntityCreated, told, f"job {title}", metadata={"title": title}))
            await scene.recorded(told[1])
        await expect(sign).to_have_text("live", timeout=90_000)
        await expect(page.locator(".tree > li", has_text=title)).to_be_visible()
    witness.expected("503")
