"""Debian's Chromium, headless, driven by Playwright; and a witness of what no page may do."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, Response, async_playwright

REQUIRED = "LLAMALOG_REQUIRE_BROWSER"
FOLDER = "LLAMALOG_SCREENSHOTS"

_NAMES = ("chromium", "chromium-browser")
_ARGUMENTS = (
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_TALLEST = 6_000
"""Pixels."""
_TELL_VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", event =>
        console.error(`CSP: ${event.effectiveDirective} ${event.blockedURI}`));
"""


def find_chromium() -> Path | None:
    """Where it is; None if this machine has none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return None if found is None else Path(found)


@asynccontextmanager
async def launched(executable: Path) -> AsyncIterator[Browser]:
    """A started browser, gone in the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


class Witness:
    """Notes what a page does that none of ours may: complain, open a dialog, run into the policy, fail.

    Args:
        page: newly opened; later documents in it are watched too.

    Attributes:
        seen: what it did, in order.
    """

    def __init__(self, page: Page) -> None:
        self.seen: list[str] = []
        self._page = page
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("response", self._on_response)

    async def watch_policy(self) -> None:
        """Have violations of the Content-Security-Policy reported too, by a script that it does not bind."""
        await self._page.add_init_script(_TELL_VIOLATIONS)

    def expected(self, words: str) -> None:
        """What a test meant to bring about is no complaint; it has to be there."""
        others = [line for line in self.seen if words not in line]
        assert len(others) < len(self.seen), f"no page shows {words!r}: {self.seen}"
        self.seen = others

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.seen.append(f"console: {message.text}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.seen.append(f"answer: {response.status} {response.url}")


def screenshots() -> Path | None:
    """The folder that screenshots are wanted in; None: none are taken, which spares the renderer the work."""
    folder = os.environ.get(FOLDER)
    return Path(folder).resolve() if folder else None


async def take_picture(page: Page, name: str) -> None:
    """A picture, if wanted, of the whole page from its top; of a very long one only what a window shows."""
    await page.wait_for_load_state()  # after a click the next document may still be without an element
    if (folder := screenshots()) is None:
        return
    height = await page.evaluate("scrollTo(0, 0), document.documentElement.scrollHeight")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:120]}.png"
    await page.screenshot(path=file, full_page=height <= _TALLEST)
