"""The pages as various people read them: without JavaScript, by the keyboard alone, in the dark."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from browser.scene import Scene
from browser.story import BROAD_ROOT, LEMONADE
from harness.browser import Witness, take_picture

Open = Callable[..., Awaitable[Page]]


async def test_everything_can_be_read_without_javascript(scene: Scene, open_page: Open) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{scene.url}/ui")
    await page.get_by_role("link", name="Lemonade", exact=True).click()
    enriched = page.locator(".tree > li", has_text="enrichment:album")
    await enriched.locator("summary.line").click()
    await expect(enriched.locator(".detail")).to_contain_text("MUSICBRAINZ")
    await take_picture(page, "album-without-javascript")
    await page.goto(f"{scene.url}/ui/jobs?job={BROAD_ROOT}")
    await expect(page.locator(".tree > li").nth(150)).to_contain_text("Song 150")
    await page.get_by_role("link", name="Later rows").click()
    await expect(page.locator("#lines")).to_contain_text("Song 250")
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Dead letters").click()
    await page.locator("#dead-letters summary").first.click()
    await expect(page.locator("#dead-letters .dead-letter").first).to_be_visible()


async def test_a_backfill_can_be_tried_without_javascript(scene: Scene, open_page: Open) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{scene.url}/ui/backfills")
    await page.get_by_text("Plan a backfill").click()
    await page.get_by_label("Some jobs, and all below them").check()
    await page.get_by_label("Jobs, one a line").fill("enrich-lemonade")
    await page.get_by_role("button", name="Start the dry run").click()
    # The page requests anew by itself every few seconds, until the run has ended.
    await expect(page.get_by_role("heading", name="Every row is right already")).to_be_visible()


async def test_the_keyboard_is_enough(scene: Scene, page: Page, witness: Witness) -> None:
    await page.goto(f"{scene.url}/ui/entities/ALBUM/{LEMONADE[1]}")
    await expect(page.locator("#lines[role=tree]")).to_be_visible()
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()

    first, second = [page.locator(".tree > li").nth(number) for number in (0, 1)]
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await first.evaluate("item => item === document.activeElement"):
            break
    await expect(first).to_be_focused()
    assert await first.evaluate("item => getComputedStyle(item).outlineStyle") != "none"
    await page.keyboard.press("ArrowDown")
    await expect(second).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(second.locator(".detail")).to_be_visible()
    await expect(second).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Tab")
    assert await second.evaluate("item => item.contains(document.activeElement)")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("ArrowLeft")
    await expect(second.locator(".detail")).to_be_hidden()
    await page.keyboard.press("End")
    await expect(page.locator(".tree > li").last).to_be_focused()
    await page.keyboard.press("Home")
    await expect(first).to_be_focused()


async def test_a_backfill_is_planned_and_cancelled_by_the_keyboard(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(f"{scene.url}/ui/backfills")
    await page.get_by_text("Plan a backfill").focus()
    await page.keyboard.press("Enter")
    every = page.get_by_label("Every row")
    await page.keyboard.press("Tab")
    await expect(every).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_label("One root, and all below it")).to_be_checked()
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Job of the root")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Name a job.")).to_be_visible()
    wrong = page.get_by_label("Job of the root")
    await expect(wrong).to_have_attribute("aria-invalid", "true")
    await expect(wrong).to_have_accessible_description("Name a job.")
    witness.expected("422")


async def test_the_dark_theme_follows_the_system_until_the_user_chooses(
    scene: Scene, open_page: Open
) -> None:
    page = await open_page(color_scheme="dark")
    await page.goto(f"{scene.url}/ui")
    assert await brightness(page) < 60
    await take_picture(page, "root-jobs-dark")
    await page.get_by_role("button", name="Switch between light and dark").click()
    assert await brightness(page) > 200
    await page.goto(f"{scene.url}/ui/health")
    assert await brightness(page) > 200
    await page.get_by_role("button", name="Switch between light and dark").click()
    await take_picture(page, "health-dark")
    assert await brightness(page) < 60


async def brightness(page: Page) -> int:
    """Of the ground of the page, from 0 to 255."""
    colour: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
