"""The screenshots of the documentation, taken anew: `python -m docs.screenshots`. It needs Chromium, and two minutes.

`webpage` or `prefect` behind it takes only those of our own web page, or of Prefect's pages.
"""

import shutil
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from agentflows import review
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.web import Served
from docs.prefect_pages import take_prefect
from docs.shot import ROOT, keep
from tests.browser.conftest import ARGUMENTS

_WINDOW: ViewportSize = {"width": 1080, "height": 660}


def make_home(home: Home) -> str:
    """A store that a dream wrote to, and one over which a dream waits; returns that dream's id."""
    ingest_files(home, discover(ROOT / "examples" / "sessions"))
    for name in ("team", "example"):
        home.state.create_store(name, f"What the {name} knows", actor=home.actor("ada"))
        home.state.import_folder(name, ROOT / "examples" / "memory", actor=home.actor("ada"))
    earlier = dream_over(home, DreamRequest(store="team", engine="rules"))
    review.approve(home.state, earlier.dream.dream_id, reviewer="ada", reason="read them all")
    return dream_over(home, DreamRequest(store="example", engine="rules")).dream.dream_id


@contextmanager
def served(home: Home) -> Generator[Served]:
    """The page over a home, on a free port."""
    site, begun = Served(home, port=0, can_write=True, reviewer="ada"), threading.Event()
    thread = threading.Thread(target=site.run, kwargs={"begun": begun.set}, daemon=True)
    thread.start()
    begun.wait(60)
    try:
        yield site
    finally:
        site.stop()
        thread.join(60)


def take_webpage(browser: Browser, site: Served, dream: str, home: Home) -> None:
    """Each picture as a reader would come to it."""
    context = browser.new_context(viewport=_WINDOW, color_scheme="light")
    page = context.new_page()
    page.goto(site.link)
    keep(page, "webpage-front")
    page.goto(f"{site.url}dreams/{dream}/review")
    for key in ("j", "a", "a"):
        page.keyboard.press(key)
    keep(page, "webpage-review")
    for key in ("X", "a", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="Before you commit").wait_for()
    keep(page, "webpage-confirm")
    line = next(line for line in home.state.files("team")["/learned.md"].split("\n") if "pnpm lint" in line)
    page.goto(f"{site.url}stores/team/file?path=/learned.md")
    page.get_by_role("link", name=f"Why it says: {line[:40]}").click()
    keep(page, "webpage-entry")
    dark = browser.new_context(
        viewport=_WINDOW, color_scheme="dark", storage_state=context.storage_state()
    ).new_page()
    dark.goto(f"{site.url}dreams/{dream}/changes/3")
    keep(dark, "webpage-change-dark")


def main() -> None:
    """Those that are asked for; all of them, unless told otherwise."""
    wanted = sys.argv[1:] or ["webpage", "prefect"]
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("There is no Chromium (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        if "webpage" in wanted:
            with open_home(Path(folder) / "home") as home:
                dream = make_home(home)
                with served(home) as site:
                    take_webpage(browser, site, dream, home)
        if "prefect" in wanted:
            take_prefect(browser, Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
