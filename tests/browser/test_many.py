"""Two hundred changes in one review, as a person decides on them: by keys on the web page, and in Prefect's form."""

import time

import pytest
from playwright.sync_api import Page, expect

from agentflows.home import Home, open_home
from tests.browser.pages import sign_in
from tests.browser.reviews import Reviews
from tests.browser.test_review import Person
from tests.browser.webui import served
from tests.prefect_server import wait_for
from tests.web.homes import held_changes

MANY = 200
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_two_hundred_changes_are_decided_one_by_one_with_a_key_each(page: Page, home: Home):
    """Each is read and approved, every tenth rejected; a page's end leads on, and one commit writes all of it."""
    held_changes(home, MANY)
    begun, keys = time.monotonic(), 0

    def press(*names: str) -> None:
        nonlocal keys
        for name in names:
            page.keyboard.press(name)
        keys += len(names)

    with served(home) as site:
        page.goto(site.link)
        press("j", "Enter")
        page.wait_for_url("**/review")
        press("j")
        for number in range(1, MANY + 1):
            expect(page.locator(":focus")).to_have_id(f"c{number}")
            if number % 10:
                press("a")
            else:
                press("r")
                page.keyboard.type("known")
                press("Enter")
        expect(page.locator("#tally")).to_contain_text(f"{MANY} of {MANY} decided")
        press("Enter")
        expect(page.locator("h1")).to_have_text("Before you commit")
        press("Enter")
        expect(page.get_by_role("status")).to_contain_text("180 changes committed. 20 rejected")
    print(f"\nREVIEW of {MANY} by keys: {keys} keys and 20 reasons, {time.monotonic() - begun:.0f} s")  # noqa: T201


@pytest.mark.prefect
def test_two_hundred_changes_are_decided_in_one_form_of_prefect(page: Page, reviews: Reviews):
    """Read in pages among the artifacts; then all but the numbers that are rejected, in one form."""
    with open_home(reviews.home) as home:
        held_changes(home, MANY, name="example", dream="drm_many")
    run = reviews.run("review", dream_id="drm_many")
    sign_in(page, reviews.site)
    page.goto(f"{reviews.site.url}/v2/runs/flow-run/{run}")
    person = Person(page)
    person.open(
        page.get_by_role("tab", name="Artifacts"), "Artifacts", page.get_by_text("page 10 of 10").first
    )
    menu, resume = page.get_by_role("button", name="Open menu"), page.get_by_role("menuitem", name="Resume")
    person.pick(menu, "the menu", resume, "Resume")
    form = page.get_by_role("dialog")
    form.get_by_text("200 changes wait").first.wait_for()
    person.tell(f"REVIEW of {MANY}, until the form is there")
    decision, all_of_it = form.get_by_label("Decision"), page.get_by_role("option", name="approve all")
    person.pick(decision, "Decision", all_of_it, "approve all")
    person.write(form.get_by_label("Reject"), "10, 20, 101-118")
    person.write(form.get_by_label("Your name"), "ada")
    person.write(form.get_by_label("Reason"), "known")
    person.send(form.get_by_role("button", name="Resume"), "Resume")
    wait_for("the commit", lambda: len(reviews.committed("drm_many")) == MANY - 20)
    person.tell(f"REVIEW of {MANY}, committed")
    assert reviews.version() == 2
