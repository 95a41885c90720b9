"""20,000 rows under one root: the first piece comes at once, further ones in place, and they scroll."""

from time import monotonic

from playwright.async_api import Page, expect

from browser.pages import job_page
from browser.scene import Scene
from browser.story import BROAD_ROOT, BROAD_ROWS
from harness.browser import Witness, take_picture

_PIECE = 200
_TIMEOUT = 10.0
"""Seconds, on a machine that does much else; what goes up with the square of the rows takes longer."""
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
_LONGEST_LEAP = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    let longest = 0;
    for (let step = 1; step <= 5; step++) {
        const began = performance.now();
        scrollTo(0, document.documentElement.scrollHeight * step / 5);
        await frame();
        await frame();
        longest = Math.max(longest, performance.now() - began);
    }
    return longest;
}"""


async def test_a_broad_tree_comes_piece_by_piece_in_place(scene: Scene, page: Page, witness: Witness) -> None:
    await page.goto(f"{scene.url}/ui")
    began = monotonic()
    await page.goto(scene.url + job_page(BROAD_ROOT))
    rows = page.locator(".tree > li[data-key]")
    await expect(rows).to_have_count(_PIECE)
    took = monotonic() - began
    print(f"first piece of {BROAD_ROWS:,} rows on the screen after {took * 1000:.0f} ms")
    assert took < _TIMEOUT
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
    longest = await page.evaluate(_LONGEST_LEAP)
    began = monotonic()
    await rows.last.locator("summary.line").click()
    await expect(rows.last.locator(".detail")).to_be_visible()
    took = monotonic() - began
    print(f"{_IN_PLACE:,} rows: a leap took {longest:.0f} ms at most, expanding {took * 1000:.0f} ms")
    assert longest < _TIMEOUT * 1000
    assert took < _TIMEOUT
    await rows.last.focus()
    await page.keyboard.press("Home")
    await expect(rows.first).to_be_focused()
