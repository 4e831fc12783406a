"""Whom Prefect's pages ask, besides their own server, where usage data is switched off."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.pages import sign_in
from tests.prefect_server import PrefectSite

pytestmark = [pytest.mark.browser, pytest.mark.prefect, pytest.mark.slow]
_OWN = {"127.0.0.1", ""}


def test_the_older_pages_ask_nobody_and_the_newer_ones_a_statistics_service_for_settings(
    page: Page, prefect_site: PrefectSite
):
    """docs/security.md says so; a newer Prefect that asks more, or less, must not go unnoticed."""
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
    sign_in(page, prefect_site)
    page.goto("about:blank")  # what the page before asks late is not of the next
    asked.clear()
    page.goto(f"{prefect_site.url}/deployments")
    page.get_by_text("orchestrate-turn").first.wait_for()
    assert asked <= _OWN
    asked.clear()
    with page.expect_request(lambda request: (urlsplit(request.url).hostname or "") not in _OWN):
        page.goto(f"{prefect_site.url}/v2/deployments")
        page.get_by_text("orchestrate-turn").first.wait_for()
    assert asked - _OWN == {"sr-client-cfg.amplitude.com"}
