"""A review as a person does it: from a held dream to a commit, by clicking through Prefect's pages."""

import time

import pytest
from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as TooLongError

from tests.browser.pages import sign_in
from tests.browser.reviews import Reviews
from tests.prefect_server import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.prefect]


class Person:
    """Clicks and types, and counts what it took."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.begin()

    def begin(self) -> None:
        self.steps: list[str] = []
        self._since = time.monotonic()

    def click(self, what: Locator, words: str) -> None:
        what.click()
        self.steps.append(f"click {words}")

    def open(self, opener: Locator, words: str, shown: Locator) -> None:
        """Click until `shown` is there: a page that is still drawing itself forgets a click, and what is out of sight is not drawn."""
        for _ in range(12):
            try:
                opener.click(timeout=10_000)
                opener.page.mouse.move(700, 800)
                opener.page.mouse.wheel(0, 2_000)
                shown.wait_for(timeout=10_000)
            except TooLongError:
                if not shown.is_visible():
                    continue
            self.steps.append(f"click {words}")
            return
        message = f"{words} opened nothing, 12 times"
        raise AssertionError(message)

    def pick(self, opener: Locator, menu: str, item: Locator, words: str) -> None:
        """Open a menu and take something of it; again where the page, drawing itself anew, closed it under the pointer."""
        for _ in range(12):
            try:
                if not item.is_visible():
                    opener.click(timeout=10_000)
                item.click(timeout=10_000)
            except TooLongError:
                continue
            self.steps += [f"click {menu}", f"click {words}"]
            return
        message = f"the menu of {menu} closed each time"
        raise AssertionError(message)

    def write(self, where: Locator, words: str) -> None:
        where.fill(words)
        self.steps.append(f"type {words!r}")

    def send(self, button: Locator, words: str) -> None:
        """Send the form; again where the page says "Service Unavailable": Prefect's SQLite file was busy, and the form stays."""
        for _ in range(20):
            with button.page.expect_response(lambda one: one.url.endswith("/resume")) as answer:
                self.click(button, words)
            if answer.value.status != 503:
                return

    def tell(self, name: str) -> None:
        """One line for the log of the tests; the seconds are those of this machine, the reading not among them."""
        seconds = time.monotonic() - self._since
        print(f"\n{name} steps={len(self.steps)} seconds={seconds:.0f}: {', '.join(self.steps)}")  # noqa: T201 - the figure


def field(page: Page, title: str) -> Locator:
    """The field of that title, in the form of the older pages."""
    return page.locator(".schema-form-property", has_text=title).last


def approve_some(person: Person, run: str, reviews: Reviews) -> None:
    """From the page of the dream's run, on the older pages."""
    page = person.page
    page.goto(f"{reviews.site.url}/runs/flow-run/{run}")
    person.begin()
    card = page.get_by_text("Decide on 13 held changes: press Resume")
    person.open(page.get_by_text("Artifacts", exact=True).first, "Artifacts", card)
    link = page.get_by_role("link", name="Decide on 13 held changes")
    person.open(card, "the card Decide on 13 held changes", link)
    with page.expect_popup() as opened:
        person.click(link, "its link")
    tab = opened.value
    person.open(tab.get_by_role("button", name="Resume"), "Resume", field(tab, "Approve (Optional)"))
    person.write(field(tab, "Approve (Optional)").locator("textarea"), "1, 7-8")
    person.write(field(tab, "Your name").locator("textarea"), "ada")
    person.send(tab.get_by_role("button", name="Submit"), "Submit")


def approve_the_rest(person: Person, name: str, reviews: Reviews) -> None:
    """From the list of runs, on the newer pages."""
    page = person.page
    page.goto(f"{reviews.site.url}/v2/runs")
    person.begin()
    person.click(page.get_by_role("link", name=name), "the review")
    menu, resume = page.get_by_role("button", name="Open menu"), page.get_by_role("menuitem", name="Resume")
    person.pick(menu, "the menu", resume, "Resume")
    form = page.get_by_role("dialog")
    form.get_by_text("Committed 1, 7-8 as version 2 of the store.").wait_for()
    decision, all_of_it = form.get_by_label("Decision"), page.get_by_role("option", name="approve all")
    person.pick(decision, "Decision", all_of_it, "approve all")
    person.write(form.get_by_label("Your name"), "bob")
    person.send(form.get_by_role("button", name="Resume"), "Resume")


def test_a_held_dream_is_committed_by_clicking(page: Page, reviews: Reviews):
    """Some of it from the page of the dream's run, the rest from the list of runs: each reviewer is on record."""
    run = reviews.run("dream", store="example", engine="rules")
    waits = reviews.waiting()
    dream_id = waits["parameters"]["dream_id"]
    assert waits["name"] == f"review · example · 13 waiting · {dream_id}"
    sign_in(page, reviews.site)
    person = Person(page)
    approve_some(person, run, reviews)
    wait_for("the commit of some", lambda: reviews.committed(dream_id) == [1, 7, 8])
    person.tell("REVIEW some")
    name = f"review · example · 10 waiting · {dream_id}"
    wait_for("the review to ask again", lambda: reviews.waiting()["name"] == name)
    approve_the_rest(person, name, reviews)
    wait_for("the commit of all but the flag", lambda: len(reviews.committed(dream_id)) == 12)
    person.tell("REVIEW all")
    assert {one.reviewer for one in reviews.decisions(dream_id)} == {"ada", "bob"}
    assert reviews.version() == 3
