"""One browser for all tests of this folder; a page of its own for each, watched by a witness.

The browser lives until the last of them, so these tests and their fixtures share the session's event loop.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from browser.scene import Scene, open_scene
from harness.browser import REQUIRED, Witness, find_chromium, launched, take_picture
from harness.waiting import TIMEOUT
from llamalog_tools.devstack import LocalStack

_HERE = Path(__file__).parent
_TIMEOUT = TIMEOUT * 1000
"""Milliseconds: two cores may do much else."""
expect.set_options(timeout=_TIMEOUT)
_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE) and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    executable = find_chromium()
    if executable is None:
        why = "there is no chromium here: `make browser` installs it, as root on a Debian machine"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED} requires a browser, and {why}")
        pytest.skip(why)
    async with launched(executable) as browser:
        yield browser


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def scene(
    stack: LocalStack, postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """An installation with both consumers, its API and its pages, in which the story was published."""
    async with open_scene(stack, postgres_url, template_database, tmp_path_factory.mktemp("scene")) as scene:
        yield scene


Open = Callable[..., Awaitable[Page]]
"""Opens a page in a window of its own; takes what Playwright's `Browser.new_context` takes."""


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """More than one page, or one that is not as usual; pictured if the test fails."""
    pages: list[Page] = []

    async def open_page(**options: Any) -> Page:
        usual: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
        context = await browser.new_context(**usual | options)
        context.set_default_timeout(_TIMEOUT)
        pages.append(await context.new_page())
        return pages[-1]

    yield open_page
    for number, page in enumerate(pages):
        if request.node.stash.get(_FAILED, False):
            await take_picture(page, f"FAILED-{request.node.name}-{number}")
        await page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: Open) -> Page:
    """An empty page."""
    return await open_page()


@pytest_asyncio.fixture(loop_scope="session")
async def witness(page: Page) -> AsyncIterator[Witness]:
    """Fails the test in the end if the page did what none may."""
    witness = Witness(page)
    await witness.watch_policy()
    yield witness
    assert witness.seen == []
