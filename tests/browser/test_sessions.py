"""Logging in with a token and out again; and forms that are not of the session are refused."""

from playwright.async_api import Page, expect
from pydantic import SecretStr

from browser.scene import Scene
from harness.api import running_api
from harness.browser import Witness, take_picture

_TOKEN = "operating-token-01"  # noqa: S105 -- of the test's own installation


async def test_a_token_opens_the_pages_and_logging_out_closes_them(
    scene: Scene, page: Page, witness: Witness
) -> None:
    tokens = SecretStr(f"otto operate {_TOKEN}")
    async with running_api(scene.settings.model_copy(update={"api_tokens": tokens})) as guarded:
        await page.goto(f"{guarded.url}/ui/backfills?open=true")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        await take_picture(page, "log-in")
        await page.get_by_label("Token").fill("no such token at all")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("No such token is known")
        witness.expected("403")
        await page.get_by_label("Token").fill(_TOKEN)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Backfills")
        assert page.url == f"{guarded.url}/ui/backfills?open=true"
        await expect(page.get_by_text("otto (operate)")).to_be_visible()
        assert await page.evaluate("document.cookie") == ""
        await page.goto(f"{guarded.url}/ui/logs")
        await expect(page.locator(".live[data-state=on]")).to_be_visible()
        await take_picture(page, "logged-in")

        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        await page.goto(f"{guarded.url}/ui/logs")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


async def test_a_form_without_the_word_of_the_session_does_nothing(
    scene: Scene, page: Page, witness: Witness
) -> None:
    before = await scene.pool.fetchval("SELECT count(*) FROM backfill_runs")
    await page.goto(f"{scene.url}/ui/backfills")
    await page.get_by_text("Plan a backfill").click()
    await page.locator(".ask [name=csrf]").evaluate("field => field.value = 'f'.repeat(64)")
    await page.get_by_role("button", name="Start the dry run").click()
    await expect(page.get_by_text("Nothing was done")).to_be_visible()
    witness.expected("403")
    assert await scene.pool.fetchval("SELECT count(*) FROM backfill_runs") == before


async def test_a_form_of_another_site_does_nothing(scene: Scene, page: Page) -> None:
    before = await scene.pool.fetchval("SELECT count(*) FROM backfill_runs")
    await page.goto(f"{scene.url}/ui/backfills")
    elsewhere = scene.url.replace("127.0.0.1", "localhost")
    form = f'<form method="post" action="{scene.url}/ui/backfills"><button>Win a prize</button></form>'
    await page.route(f"{elsewhere}/**", lambda route: route.fulfill(content_type="text/html", body=form))
    await page.goto(f"{elsewhere}/prize")
    await page.get_by_role("button", name="Win a prize").click()
    await expect(page.get_by_text("Another site has sent this request")).to_be_visible()
    assert await scene.pool.fetchval("SELECT count(*) FROM backfill_runs") == before
