"""The witness sees what the other tests of this folder rely on it to see."""

import pytest
from playwright.async_api import Page, Route

from harness.browser import Witness

_STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:"


async def shows(page: Page, body: str, *, policy: str = "", status: int = 200) -> None:
    """Have the page load a document."""

    async def answer(route: Route) -> None:
        headers = {"content-type": "text/html"} | ({"content-security-policy": policy} if policy else {})
        document = f"<!doctype html><link rel=icon href=data:,><title>tried</title>{body}"
        await route.fulfill(status=status, headers=headers, body=document)

    await page.route("http://tried.invalid/**", answer)
    await page.goto("http://tried.invalid/")


@pytest.mark.parametrize(
    ("body", "policy", "seen"),
    [
        ("<script>alert('run')</script>", "", "dialog: run"),
        ("<img src=x onerror=alert('run')>", "img-src 'none'", "CSP: img-src"),
        ("<script>alert('run')</script>", _STRICT, "CSP: script-src-elem inline"),
        ("<p onclick=alert('run')>", _STRICT, "CSP: script-src-attr inline"),
        ("<p style='color: red'>", _STRICT, "CSP: style-src-attr inline"),
        ("<script>nothing.there()</script>", "", "error: nothing is not defined"),
        ("<script>console.error('unwell')</script>", "", "console: unwell"),
    ],
)
async def test_the_witness_sees_what_no_page_may_do(page: Page, body: str, policy: str, seen: str) -> None:
    witness = Witness(page)
    await witness.watch_policy()
    await shows(page, body, policy=policy)
    assert any(seen in line for line in witness.seen), witness.seen


async def test_the_witness_sees_an_answer_that_is_an_error(page: Page) -> None:
    witness = Witness(page)
    await shows(page, "<p>away</p>", status=503)
    assert "answer: 503 http://tried.invalid/" in witness.seen


async def test_the_witness_has_nothing_to_report_about_a_page_that_behaves(
    page: Page, witness: Witness
) -> None:
    await shows(page, "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>", policy=_STRICT)
    assert await page.title() == "tried"
    assert witness.seen == []
