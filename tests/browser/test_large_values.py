"""Titles of 200 KB: a page stays a page."""

import asyncpg
from msgspec.structs import replace
from playwright.async_api import Page
from pydantic import SecretStr

from browser.scene import Scene
from harness.api import running_api
from harness.browser import Witness, take_picture
from harness.databases import new_database
from harness.log_table import write_at_rest
from histories import event
from llamalog_schemas.events import EntityType
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.pool import create_pool

_ROWS = 60
_WORDS = "Lemonade " * 22_000
_WORD = "L" * 200_000
_TALLEST = 10_000
"""Pixels; 60 rows of ordinary names have 3,000."""
_SIZE = "[document.body.scrollHeight, document.documentElement.scrollWidth - innerWidth]"


async def _fill(pool: asyncpg.Pool) -> None:
    plain = [event(number + 1, f"job-{number}") for number in range(_ROWS)]
    about = {"entity_type": EntityType.ALBUM}
    events = [
        replace(
            one,
            data=replace(
                one.data,
                metadata={"title": _WORDS if number % 2 else _WORD},
                error_message=_WORD,
                reason=_WORDS,
                **about,
            ),
        )
        for number, one in enumerate(plain)
    ]
    await write_at_rest(pool, fold(events).values())


async def test_titles_of_any_length_make_no_page_tall_or_wide(
    scene: Scene, page: Page, witness: Witness, postgres_url: str, template_database: str
) -> None:
    async with new_database(postgres_url, template_database) as url:
        async with create_pool(url, min_size=0, max_size=1) as pool:
            await _fill(pool)
        settings = scene.settings.model_copy(update={"database_url": SecretStr(url)})
        async with running_api(settings) as api:
            for width in (1280, 375):
                await page.set_viewport_size({"width": width, "height": 800})
                for path in ("/ui", "/ui/logs", "/ui/jobs?job=job-1"):
                    await page.goto(api.url + path)
                    assert "Lemonade" in await page.locator("#main").inner_text()
                    await take_picture(page, f"large-values-{width}")
                    height, over = await page.evaluate(_SIZE)
                    assert height < _TALLEST, (width, path)
                    assert over <= 0, (width, path)
