"""Every page can be found one's way in without seeing it, read in both themes, and held in a hand."""

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page

from browser.pages import all_pages
from browser.scene import Scene
from harness.browser import Witness, take_picture

_HERE: Final = Path(__file__).parent
ACCESSIBLE: Final = (_HERE / "accessible.js").read_text()
CONTRAST: Final = (_HERE / "contrast.js").read_text()


async def test_every_page_is_accessible_legible_in_both_themes_and_fits_a_phone(
    scene: Scene, page: Page, witness: Witness
) -> None:
    pages = await all_pages(scene)
    assert "backfill 0" in pages
    for name, path in pages.items():
        await page.set_viewport_size({"width": 1280, "height": 800})
        await page.goto(scene.url + path)
        await page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        assert await page.evaluate(ACCESSIBLE) == [], name
        for theme in ("light", "dark"):
            await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            assert await page.evaluate(CONTRAST) == [], f"{name}, {theme}"
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, name
        await take_picture(page, f"phone-{name}")


_FRAME: Final = "<header></header><main><h1>x</h1>"
SPOILED: Final = [
    ("<html><title>x</title><main><header></header><h1>x</h1></main>", "no language"),
    ("<input name=q>", "a field has no name"),
    ("<a href=/x><svg aria-hidden=true></svg></a>", "a control has no name"),
    ("<h3>too deep</h3>", "a heading follows on h1"),
    ("<p id=one></p><p id=one></p>", "an id is there twice"),
    ("<table><tr><th>x</th></tr></table>", "a table has no caption"),
    ("<label for=nothing>x</label>", "for names no element"),
    ("<section>x</section>", "a part of the page has no name"),
    ("<p tabindex=3>x</p>", "an element comes before all others"),
]


@pytest.mark.parametrize(("body", "complaint"), SPOILED, ids=[complaint for _, complaint in SPOILED])
async def test_what_is_not_accessible_is_found(page: Page, body: str, complaint: str) -> None:
    whole = body if body.startswith("<html") else f"<html lang=en><title>x</title>{_FRAME}{body}</main>"
    await page.set_content(whole)
    assert any(complaint in found for found in await page.evaluate(ACCESSIBLE))


async def test_what_stands_out_too_little_is_found(page: Page) -> None:
    await page.set_content("<p style='color: #777; background: #fff'>faint</p><p>plain</p>")
    [complaint] = await page.evaluate(CONTRAST)
    assert complaint == "4.48 P.: faint"
