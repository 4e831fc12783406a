"""The screenshots of Prefect's pages: the graphs of runs, the forms, a review and the artifacts, on a server of their own."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize

from docs.shot import ROOT, keep, still
from tests.browser.pages import sign_in
from tests.browser.reviews import Reviews
from tests.prefect_server import PrefectSite, running_site

_WIDE: ViewportSize = {"width": 1280, "height": 900}
_NARROW = 820
"""The pages have no menu at the side then."""
_FORMS = {"nightly": 1_000, "dream": 960, "outcome": 960, "orchestrate": 960}
"""How much of each form is shown: its first fields."""


def take_prefect(browser: Browser, folder: Path) -> None:
    """A dream, its review and a team's job, as an operator sees them."""
    (folder / "site").mkdir()
    with running_site(folder / "site") as site:
        reviews = Reviews(site, folder / "prefect-home")
        dream = reviews.run("dream", store="example", engine="rules")
        waits = reviews.waiting()["id"]
        shutil.copytree(ROOT / "examples" / "teams", folder / "teams")
        team = folder / "teams" / "release"
        job = reviews.run(
            "orchestrate",
            team=str(team),
            plan=str(team / "plan.yaml"),
            workspace=str(folder / "teams" / "harbor"),
        )
        page = browser.new_context(viewport=_WIDE, reduced_motion="reduce", color_scheme="light").new_page()
        page.set_default_timeout(120_000)
        sign_in(page, site)
        _runs(page, site, dream, job)
        _review(page, reviews, waits)
        _forms(page, site)
        site.stop_workers()


def _runs(page: Page, site: PrefectSite, dream: str, job: str) -> None:
    """The graphs, and what a run leaves on its page."""
    page.goto(f"{site.url}/runs/flow-run/{dream}")
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("Decide on 13 held changes").wait_for()
    still(page)
    keep(page, "dream-run", clip={"x": 256, "y": 0, "width": 1024, "height": 900})
    page.goto(f"{site.url}/runs/flow-run/{job}")
    page.get_by_text("8 Task runs").wait_for()
    still(page)
    keep(page, "team-run", clip={"x": 256, "y": 0, "width": 1024, "height": 504})
    found = site.call(
        "POST", "/artifacts/filter", {"artifacts": {"key": {"any_": ["dream-example-pictures"]}}}
    )
    page.goto(f"{site.url}/artifacts/artifact/{found[0]['id']}")
    page.get_by_role("img", name="What recurs").wait_for()
    still(page)
    keep(page, "dream-pictures", clip={"x": 256, "y": 0, "width": 1024, "height": 700})


def _review(page: Page, reviews: Reviews, waits: str) -> None:
    """The form on the older pages; on the newer ones what stands above it, when some of it was decided."""
    page.goto(f"{reviews.site.url}/runs/flow-run/{waits}")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Approve (Optional)").wait_for()
    still(page)
    keep(page, "review-form", clip={"x": 352, "y": 0, "width": 576, "height": 900})
    reviews.resume(waits, approve="1, 7-8")
    page.goto(f"{reviews.site.url}/v2/runs/flow-run/{waits}")
    page.get_by_role("button", name="Open menu").click()
    page.get_by_role("menuitem", name="Resume").click()
    page.get_by_role("dialog").get_by_text("Committed 1, 7-8 as version 2 of the store.").wait_for()
    still(page)
    keep(page, "review-above", clip={"x": 352, "y": 60, "width": 576, "height": 780})


def _forms(page: Page, site: PrefectSite) -> None:
    """As a person meets them; the first with a value that it refuses."""
    for name, high in _FORMS.items():
        page.set_viewport_size({"width": _NARROW, "height": high})
        identity = site.call("GET", f"/deployments/name/{name}/{name}")["id"]
        page.goto(f"{site.url}/deployments/deployment/{identity}/run")
        page.get_by_text("Parameters").first.wait_for()
        if name == "nightly":
            page.get_by_role("spinbutton").first.fill("-1")
            page.get_by_role("button", name="Submit").click()
            page.get_by_text("minimum of 0").first.scroll_into_view_if_needed()
        still(page)
        keep(page, f"form-{name}")
