"""What a person does on Prefect's pages, and the pictures that the documentation has of them."""

import os
from typing import Any

from playwright.sync_api import Page

from tests.conftest import ROOT
from tests.prefect_server import PrefectSite

IMAGES = ROOT / "docs" / "images"
"""Where they are kept; `AGENTFLOWS_SCREENSHOTS=1` takes them anew."""
_TAKES = bool(os.environ.get("AGENTFLOWS_SCREENSHOTS"))


def sign_in(page: Page, site: PrefectSite) -> None:
    """Type the server's password in, as a person does; the browser keeps it from then on."""
    page.goto(site.url)
    box = page.get_by_placeholder("admin:pass")
    box.fill(site.password)
    box.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def picture(page: Page, name: str, **options: Any) -> None:
    """Keep a picture of the page for the documentation, when pictures are taken anew; options are Playwright's."""
    if _TAKES:
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=IMAGES / f"{name}.png", **options)
