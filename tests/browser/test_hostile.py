"""Words that a careless page would obey are shown, wherever they come from, and never obeyed."""

from uuid import uuid4

from playwright.async_api import Page, expect

from browser.pages import hostile_pages
from browser.scene import Scene
from browser.story import HOSTILE, about, hostile, known
from harness.browser import Witness, take_picture
from llamalog_schemas.events import EntityCreated, EntityType

_OBEYED = """() => {
    const all = [...document.querySelectorAll("*")];
    const foreign = "img, iframe, object, embed, base, script:not([src]), style, svg:not([aria-hidden])";
    return [
        ...[...document.querySelectorAll(foreign)].map(element => element.outerHTML),
        ...all.filter(element => [...element.attributes].some(({name}) => /^on|^style$/.test(name)))
            .map(element => element.outerHTML),
        ...[...document.querySelectorAll("[href], [action]")]
            .map(element => element.getAttribute("href") ?? element.getAttribute("action"))
            .filter(address => !/^(\\/(?!\\/)|#)/.test(address)),
    ];
}"""
_REFUSED = {404, 422}


async def test_hostile_words_are_text_on_every_page(scene: Scene, page: Page, witness: Witness) -> None:
    shown = 0
    for path in await hostile_pages(scene):
        answer = await page.goto(scene.url + path)
        assert answer is not None
        if answer.status in _REFUSED:
            witness.expected(str(answer.status))
        else:
            assert answer.status == 200, path
        await page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        assert await page.evaluate(_OBEYED) == [], path
        assert witness.seen == [], path
        text = await page.locator("body").evaluate("body => body.textContent")
        shown += HOSTILE in text
    assert shown > 15
    await page.goto(f"{scene.url}/ui")
    await take_picture(page, "hostile-root-jobs")


async def test_hostile_words_that_come_live_are_text_too(scene: Scene, page: Page, witness: Witness) -> None:
    await page.goto(f"{scene.url}/ui/logs")
    await expect(page.locator(".live[data-state=on]")).to_be_visible()
    title = f"{HOSTILE} {uuid4()}"
    track = (EntityType.TRACK, known(title))
    await scene.publish(*hostile(), about(EntityCreated, track, HOSTILE, metadata={"title": title}))
    await expect(page.locator(".tree > li", has_text=title)).to_be_visible()
    assert await page.evaluate(_OBEYED) == []


async def test_a_backfill_of_hostile_jobs_says_so_and_no_more(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(f"{scene.url}/ui/backfills")
    await page.get_by_text("Plan a backfill").click()
    await page.get_by_label("Some jobs, and all below them").check()
    await page.get_by_label("Jobs, one a line").fill(f"{HOSTILE}\n{HOSTILE} child\n")
    await page.get_by_role("button", name="Start the dry run").click()
    await expect(page.get_by_role("heading", name="Report")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
    assert await page.evaluate(_OBEYED) == []
    await page.goto(f"{scene.url}/ui/backfills")
    await expect(page.locator("#runs")).to_contain_text(HOSTILE)
    assert await page.evaluate(_OBEYED) == []
