"""A backfill tried, started, paused, resumed and watched to its end, with the real migration consumer."""

from playwright.async_api import Page, expect

from browser.scene import Scene
from browser.story import BROAD_ROOT, BROAD_ROWS
from harness.browser import Witness, take_picture
from harness.waiting import eventually

_FORGET = "UPDATE llama_logs SET root_job_id = NULL, origin = NULL WHERE root_job_id = $1 AND NOT is_root_job"
_WITH_ROOT = "SELECT count(*) FROM llama_logs WHERE root_job_id = $1"


async def test_a_backfill_is_tried_then_started_and_watched_to_its_end(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await scene.pool.execute(_FORGET, BROAD_ROOT)
    await page.goto(f"{scene.url}/ui/backfills")
    await page.get_by_text("Plan a backfill").click()
    await page.get_by_label("One root, and all below it").check()
    await page.get_by_label("Job of the root").fill(BROAD_ROOT)
    await page.get_by_text("Rate and expectations").click()
    await page.get_by_label("Rows a transaction at most").fill("1000")
    await page.get_by_label("Rows a second at most").fill("6000")
    await take_picture(page, "backfill-form")
    await page.get_by_role("button", name="Start the dry run").click()

    offer = page.get_by_role("heading", name=f"{BROAD_ROWS:,} of {BROAD_ROWS + 1:,} rows would be set")
    await expect(offer).to_be_visible()
    await take_picture(page, "backfill-tried")
    assert await scene.pool.fetchval(_WITH_ROOT, BROAD_ROOT) == 1
    await page.get_by_role("button", name="Start the backfill").click()

    await under_way(page)
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("Paused while writing", exact=True)).to_be_visible()
    await take_picture(page, "backfill-paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("Completed:")).to_be_visible()
    assert await page.get_by_role("progressbar").get_attribute("value") == str(BROAD_ROWS + 1)
    await expect(page.locator("#announcement")).to_have_text("The backfill is completed.")
    await expect(page.locator(".report tr", has_text="all rows").locator("td")).to_have_text(
        [f"{BROAD_ROWS + 1:,}", f"{BROAD_ROWS + 1:,}", ""]
    )
    await take_picture(page, "backfill-completed")
    assert await scene.pool.fetchval(_WITH_ROOT, BROAD_ROOT) == BROAD_ROWS + 1

    await page.get_by_role("navigation", name="Where this is").get_by_role("link").click()
    await expect(page.locator("#runs tbody tr", has_text=BROAD_ROOT)).to_have_count(2)
    await take_picture(page, "backfills")


async def under_way(page: Page) -> None:
    """Wait until the bar, which is not reloaded, shows that some rows are done and others are not."""
    bar = page.get_by_role("progressbar")

    async def is_under_way() -> bool:
        """The progress bar is somewhere in the middle."""
        done, all_of_it = [await bar.get_attribute(name) for name in ("value", "max")]
        return done is not None and all_of_it is not None and 0 < float(done) < float(all_of_it)

    await eventually(is_under_way)
