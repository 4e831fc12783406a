"""The pages of a server with a password: nothing is to be seen without it, everything with it."""

import pytest
from playwright.sync_api import Page

from tests.browser.pages import sign_in
from tests.prefect_server import PrefectSite

pytestmark = [pytest.mark.browser, pytest.mark.prefect]


def test_who_does_not_know_the_password_sees_no_run(page: Page, prefect_site: PrefectSite):
    """Every page leads to the box for it, and the right one leads on."""
    page.goto(f"{prefect_site.url}/deployments")
    page.get_by_placeholder("admin:pass").wait_for()
    assert page.get_by_text("orchestrate-turn").count() == 0
    sign_in(page, prefect_site)
    page.goto(f"{prefect_site.url}/deployments")
    page.get_by_text("orchestrate-turn").first.wait_for()
