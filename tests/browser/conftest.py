"""What the tests over a Prefect server as people install it share (`prefect_site`): Chromium, and reviews that wait there."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.reviews import Reviews
from tests.prefect_server import PrefectSite

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_REQUIRED = os.environ.get("AGENTFLOWS_BROWSER_TESTS") == "required"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Not for the whole session: while it lasts an event loop runs in this thread, and Prefect takes every caller for a coroutine.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; its tests are skipped, loudly, where there is none; `required` makes that a failure."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        message = "NO CHROMIUM, its tests did not run (Debian: apt-get install chromium)"
        if _REQUIRED:
            pytest.fail(message)
        pytest.skip(f"{message}. AGENTFLOWS_BROWSER_TESTS=required makes this a failure")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """A fresh page, without cookies; steps wait up to two minutes, for the machine may be busy. Its end is `page.png`."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(120_000)
    page = context.new_page()
    yield page
    page.screenshot(path=tmp_path / "page.png")
    context.close()


@pytest.fixture
def reviews(prefect_site: PrefectSite, tmp_path: Path) -> Iterator[Reviews]:
    """A home whose dreams wait for review, and a worker for it."""
    yield Reviews(prefect_site, tmp_path)
    prefect_site.stop_workers()
