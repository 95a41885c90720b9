"""The ways through the log: from a root job to an album to a row, by filters and by search, and live."""

from urllib.parse import quote
from uuid import uuid4

from playwright.async_api import Page, expect

from browser.scene import Scene
from browser.story import (
    BEYONCE,
    ENRICHMENT,
    LEMONADE,
    LOST_JOB,
    ROOT_JOB,
    about,
    known,
    retracted,
)
from harness.browser import Witness, take_picture
from llamalog_schemas.events import EntityCreated, EntityLinked, EntityType


async def test_from_the_root_jobs_to_an_album_to_a_row_to_its_job_and_up_the_chain(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(f"{scene.url}/ui")
    row = page.locator("#roots tbody tr", has_text="Lemonade")
    await expect(row).to_contain_text("created")
    await expect(row).to_contain_text("otto@example.org")
    await take_picture(page, "root-jobs")
    await row.get_by_role("link", name="Lemonade", exact=True).click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Lemonade")
    await take_picture(page, "album")
    levels = {
        text: await page.locator(".tree > li", has_text=text).first.get_attribute("aria-level")
        for text in ("album:created", "enrichment:album", "Pray You Catch Me", "Beyoncé")
    }
    assert levels == {
        "album:created": "1",
        "enrichment:album": "2",
        "Pray You Catch Me": "3",
        "Beyoncé": "4",
    }
    enriched = page.locator(".tree > li", has_text="enrichment:album")
    await expect(enriched.locator(".detail")).to_be_hidden()
    await enriched.locator("summary.line").click()
    for words in ("MUSICBRAINZ", "releaseDate", "low", "high", "1.2 s", "3 API calls", ENRICHMENT):
        await expect(enriched.locator(".detail")).to_contain_text(words)
    await expect(enriched.get_by_text('"title": "Lemonade"')).to_be_hidden()
    await enriched.get_by_text("Metadata").click()
    await expect(enriched.get_by_text('"title": "Lemonade"')).to_be_visible()
    await take_picture(page, "album-detail")

    await enriched.locator(".detail").get_by_role("link", name=ENRICHMENT, exact=True).first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(ENRICHMENT)
    await expect(page.locator("#lines")).to_contain_text("Formation")
    await take_picture(page, "job")
    await page.locator(".chain").get_by_role("link", name=ROOT_JOB).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(ROOT_JOB)
    await expect(page.locator(".tree > li").first).to_contain_text("album:created")


async def test_a_row_of_unknown_origin_bears_a_badge_with_the_reason_and_can_be_left_out(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(f"{scene.url}/ui/entities/ALBUM/{LEMONADE[1]}")
    orphan = page.locator(".tree > li", has_text="cache:by-hand")
    await expect(orphan).to_have_class("d0 dimmed")
    await expect(orphan.locator(".badge.unknown")).to_have_text(
        "Origin unknown: names neither job nor parent"
    )
    await page.get_by_role("link", name="Known origin only").click()
    await expect(page.locator("#lines")).to_contain_text("album:created")
    await expect(orphan).to_have_count(0)


async def test_unknown_origins_lead_from_the_reason_to_the_rows_and_to_what_they_wait_for(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(f"{scene.url}/ui/unknown-origins")
    await take_picture(page, "unknown-origins")
    await page.get_by_role("link", name="Retries for a job never seen").click()
    await expect(page.get_by_label("Origin", exact=True)).to_have_value("PENDING")
    rows = page.locator(".tree > li")
    await expect(rows.filter(has_text="Lost")).to_have_count(3)
    await expect(rows.locator(".badge.unknown", has_text="Origin unknown")).to_have_count(await rows.count())
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Waiting jobs").click()
    await take_picture(page, "waiting-jobs")
    await page.get_by_role("link", name=LOST_JOB).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(LOST_JOB)
    await expect(page.locator(".tree > li").first).to_contain_text(LOST_JOB)


async def test_logs_are_filtered_by_their_values(scene: Scene, page: Page, witness: Witness) -> None:
    await page.goto(f"{scene.url}/ui/logs")
    await page.get_by_label("Category").select_option("FAILED")
    await page.get_by_label("Text of the error").fill("no guest")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator(".tree > li")).to_have_count(1)
    await expect(page.locator(".tree > li")).to_contain_text("NO_ARTIST_DATA")
    await take_picture(page, "logs-filtered")
    await page.get_by_role("link", name="Clear").click()
    await page.get_by_label("Since").fill("the day before")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_text("was not understood for since")).to_be_visible()
    witness.expected("422")


async def test_the_search_finds_a_title_an_id_and_a_job_of_any_name(
    scene: Scene, page: Page, witness: Witness
) -> None:
    await page.goto(f"{scene.url}/ui")
    for sought, found in (("lemon", "Root jobs"), (str(BEYONCE[1]), "Beyoncé"), (ROOT_JOB, ROOT_JOB)):
        await page.get_by_label("Find an album, artist, track or job").fill(sought)
        await page.get_by_role("button", name="Find").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(found)
        if found == "Root jobs":
            await expect(page.locator("#roots tbody tr")).to_have_count(1)


async def test_what_is_recorded_appears_without_a_reload(scene: Scene, page: Page, witness: Witness) -> None:
    await page.goto(f"{scene.url}/ui/logs")
    await expect(page.locator(".live[data-state=on]")).to_be_visible()
    await page.evaluate("window.notReloaded = true")
    title = f"Freedom {uuid4()}"
    track = (EntityType.TRACK, known(title))
    await scene.publish(
        about(EntityCreated, track, "track:created:live", job_id=title, metadata={"title": title})
    )
    await expect(page.locator(".tree > li", has_text=title)).to_be_visible()
    await expect(page.locator("#announcement")).to_have_text("1 new rows of the log.")
    assert await page.evaluate("window.notReloaded")
    await take_picture(page, "live-row")

    await page.goto(f"{scene.url}/ui")
    await expect(page.locator(".live[data-state=on]")).to_be_visible()
    await page.evaluate("window.notReloaded = true")
    title = f"Homecoming {uuid4()}"
    album = (EntityType.ALBUM, known(title))
    await scene.publish(
        about(EntityLinked, album, "album:linked:live", job_id=title, metadata={"title": title})
    )
    await expect(page.locator("#roots tbody tr", has_text=title)).to_be_visible()
    assert await page.evaluate("window.notReloaded")


async def test_a_late_parent_takes_the_badge_away_while_one_looks(
    scene: Scene, page: Page, witness: Witness
) -> None:
    child, parent = f"late/{uuid4()}", f"late/{uuid4()}"
    track, album = (EntityType.TRACK, known(child)), (EntityType.ALBUM, known(parent))
    await scene.publish(about(EntityCreated, track, "track:created", job_id=child, parent_job_id=parent))
    await scene.recorded(track[1])
    await page.goto(f"{scene.url}/ui/jobs?job={quote(child, safe='')}")
    await expect(page.locator(".tree .badge.unknown")).to_be_visible()
    await expect(page.locator(".live[data-state=on]")).to_be_visible()
    await scene.publish(about(EntityCreated, album, "album:created", job_id=parent))
    await expect(page.locator(".tree .badge.unknown")).to_have_count(0)
    await expect(page.locator(".tree > li", has_text="track:created")).to_be_visible()


async def test_a_retraction_strikes_a_row_through_while_one_looks(
    scene: Scene, page: Page, witness: Witness
) -> None:
    title = f"Sandcastles {uuid4()}"
    track = (EntityType.TRACK, known(title))
    wrong = about(EntityCreated, track, "track:created:wrong", job_id=title, metadata={"title": title})
    await scene.publish(wrong)
    await scene.recorded(track[1])
    await page.goto(f"{scene.url}/ui/jobs?job={quote(title, safe='')}")
    await expect(page.locator(".live[data-state=on]")).to_be_visible()
    row = page.locator(".tree > li", has_text="track:created:wrong")
    await row.locator("summary time").click()  # not the link in its middle
    named = row.locator("summary .named", has_text=title)
    await expect(named).not_to_have_css("text-decoration-line", "line-through")
    await scene.publish(retracted(wrong, "<b>It was another song.</b>"))
    await expect(row.locator("summary .badge", has_text="retracted")).to_be_visible()
    await expect(row.locator("summary del", has_text="track:created:wrong")).to_be_visible()
    await expect(named).to_have_css("text-decoration-line", "line-through")
    await expect(row.locator(".detail")).to_contain_text("by rita")
    await expect(row.locator(".detail")).to_contain_text("<b>It was another song.</b>")
    await take_picture(page, "retracted-row")
