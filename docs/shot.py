"""One screenshot, kept where the documentation has its pictures."""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000


def keep(page: Page, name: str, **options: Any) -> None:
    """Write one picture, if it is small enough to be kept in a repository; options are Playwright's.

    Raises:
        SystemExit: it is not.
    """
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, **options)
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"{path} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are kept.")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes\n")
    sys.stdout.flush()


def still(page: Page) -> None:
    """Wait until the page no longer changes: a run's graph is drawn on a canvas, which says nothing when it is done.

    Something small may never rest, so it looks ten times at most.
    """
    before = b""
    for _ in range(10):
        page.wait_for_timeout(1_500)
        now = page.screenshot()
        if now == before:
            return
        before = now
