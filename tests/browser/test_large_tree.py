"""20,000 rows under one root: they come piece by piece in place, and scroll."""

from playwright.async_api import Page, expect

from browser.pages import job_page
from browser.scene import Scene
from browser.story import BROAD_ROOT
from harness.browser import Witness, take_picture

_PIECE = 200
_IN_PLACE = 3_000
"""Rows: a further piece was requested fourteen times."""
_FILL = """rows => {
    const lines = document.querySelector("#lines");
    const piece = lines.querySelector("ol");
    const more = document.createDocumentFragment();
    let number = lines.querySelectorAll(":scope > ol > li").length;
    for (; number < rows; number += piece.children.length) {
        const copy = piece.cloneNode(true);
        for (const item of copy.children) {
            item.dataset.key = item.id = `${number} ${item.id}`;
            if (item.querySelector("details")) item.querySelector("details").open = false;
        }
        more.append(copy);
    }
    lines.append(more);
}"""


async def test_a_broad_tree_comes_piece_by_piece_in_place(scene: Scene, page: Page, witness: Witness) -> None:
    await page.goto(scene.url + job_page(BROAD_ROOT))
    rows = page.locator(".tree > li[data-key]")
    await expect(rows).to_have_count(_PIECE)
    await page.evaluate("window.notReloaded = true")
    for piece in (2, 3):
        await page.locator("[data-more] a").click()
        await expect(rows).to_have_count(piece * _PIECE)
        await expect(rows.nth((piece - 1) * _PIECE)).to_be_focused()
    await expect(page.locator("#announcement")).to_contain_text("in all.")
    assert await page.evaluate("window.notReloaded")
    await expect(rows.last).to_contain_text(f"Song {3 * _PIECE - 1}")
    await rows.last.locator("summary.line").click()
    await expect(rows.last.locator(".detail")).to_be_visible()
    await take_picture(page, "broad-tree")


async def test_thousands_of_rows_in_place_scroll_and_expand(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(scene.url + job_page(BROAD_ROOT))
    await page.evaluate(_FILL, _IN_PLACE)
    rows = page.locator(".tree > li")
    await expect(rows).to_have_count(_IN_PLACE)
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await expect(rows.last).to_be_in_viewport()
    await rows.last.locator("summary.line").click()
    await expect(rows.last.locator(".detail")).to_be_visible()
    await rows.last.focus()
    await page.keyboard.press("Home")
    await expect(rows.first).to_be_focused()
