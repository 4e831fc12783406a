"""What a person does on Prefect's pages."""

from playwright.sync_api import Page

from tests.prefect_server import PrefectSite


def sign_in(page: Page, site: PrefectSite) -> None:
    """Type the server's password in, as a person does; the browser keeps it from then on."""
    page.goto(site.url)
    box = page.get_by_placeholder("admin:pass")
    box.fill(site.password)
    box.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
