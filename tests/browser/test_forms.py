"""The forms as a person sees them: titles, no tabs, and a bad value that is refused before a run is made."""

import pytest
from playwright.sync_api import Page

from tests.browser.pages import sign_in
from tests.prefect_server import PrefectSite

pytestmark = [pytest.mark.browser, pytest.mark.prefect]


def open_form(page: Page, site: PrefectSite, name: str) -> None:
    """The page on which a run of a deployment is asked for."""
    identity = site.call("GET", f"/deployments/name/{name}/{name}")["id"]
    page.goto(f"{site.url}/deployments/deployment/{identity}/run")
    page.get_by_text("Home folder").first.wait_for()


def test_a_form_reads_well_and_refuses_a_bad_value(page: Page, prefect_site: PrefectSite):
    """No parameter's name, no tabs without words; and what cannot be is said at its field."""
    sign_in(page, prefect_site)
    for name, title in (("dream", "Sessions that must agree"), ("orchestrate", "Turns at once")):
        open_form(page, prefect_site, name)
        page.get_by_text(title).first.wait_for()
        assert page.get_by_text('Property is type "None"').count() == 0
    open_form(page, prefect_site, "nightly")
    page.get_by_text("Publish to").first.wait_for()
    page.get_by_role("spinbutton").first.fill("-1")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("minimum of 0").first.wait_for()
    assert page.url.endswith("/run")
