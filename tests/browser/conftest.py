"""What the tests in a browser share: Chromium, and one Prefect server with everything deployed to it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.prefect_server import prefect_site

__all__ = ["prefect_site"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
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
        if os.environ.get("AGENTFLOWS_BROWSER_TESTS") == "required":
            pytest.fail(message)
        pytest.skip(f"{message}. AGENTFLOWS_BROWSER_TESTS=required makes this a failure")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh page, without cookies; steps wait up to two minutes, for the machine may be busy."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(120_000)
    page = context.new_page()
    yield page
    context.close()
