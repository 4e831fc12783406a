"""The web page in a real browser: a review by keys alone and without scripts, hostile texts, contrast."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from agentflows.change import Change
from agentflows.home import Home, open_home
from tests.browser.webui import faint, focus, served, watched
from tests.web.homes import HOSTILE, dream_id, held_changes, make_example, make_hostile

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The example project with a dream that waits. One test here decides on it, the last that reads it."""
    folder = tmp_path_factory.mktemp("webui") / "home"
    make_example(folder)
    with open_home(folder) as home:
        yield home


@pytest.mark.parametrize(
    ("scheme", "width"), [("dark", 1280), ("light", 390), pytest.param("light", 1280, marks=pytest.mark.slow)]
)
def test_every_text_stands_out_and_no_page_is_wider_than_the_window(
    chromium: Browser, example: Home, scheme: str, width: int
):
    """By light and by dark, on a desk and on a phone; and nothing on the way is forbidden by the page's own policy."""
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # pyright: ignore[reportArgumentType]
    context.set_default_timeout(120_000)
    page = context.new_page()
    said = watched(page)
    quote = example.state.dream(dream_id(example)).changes[2].quotes[0]
    with served(example) as site:
        page.goto(site.link)
        for path in (
            "/", "/stores/example", "/stores/example/file?path=/CLAUDE.md", "/stores/example/compare", "/help", "/sessions",
            f"/dreams/{dream_id(example)}", f"/dreams/{dream_id(example)}/review", f"/dreams/{dream_id(example)}/changes/3",
            f"/dreams/{dream_id(example)}/ledger", f"/session?id={quote.session_id}&at={quote.seq}", "/patterns/error_signatures",
        ):  # fmt: skip
            page.goto(site.url.rstrip("/") + path)
            assert not faint(page), (path, faint(page))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert not said
    context.close()


def test_a_dream_is_reviewed_to_a_commit_by_keys_alone(page: Page, example: Home):
    """From the first page: read, approve, reject with a reason, say it otherwise, answer the flag, look, commit."""
    said = watched(page)
    press, dream = page.keyboard.press, dream_id(example)
    changes = example.state.dream(dream).changes
    with served(example) as site:
        _begin(page, site.link)
        press("a")
        assert focus(page) == "c2"
        press("r")
        page.keyboard.type("one-off")
        press("Enter")
        assert focus(page) == "c3"
        press("e")
        page.keyboard.press("Control+A")
        page.keyboard.type("- Run the tests with `uv run pytest -q`.")
        press("Escape")
        assert focus(page) == "c3"
        expect(page.locator("#tally")).to_contain_text("3 of 13 decided")
        _select_the_rest(page, changes)
        press("a")
        expect(page.locator("#tally")).to_contain_text("13 of 13 decided")
        page.reload()
        expect(page.locator("#tally")).to_contain_text("13 of 13 decided")
        press("Enter")
        expect(page.locator("h1")).to_have_text("Before you commit")
        expect(page.locator(".summary")).to_contain_text("1 change is rejected")
        assert example.state.get_store("example").version == 1
        press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Version 2 of example is written")
    assert not said
    files = example.state.files("example")
    assert "- Run the tests with `uv run pytest -q`." in files["/CLAUDE.md"]
    assert "30 seconds" not in files["/CLAUDE.md"]
    made = {one.change_id: one for one in example.state.decisions(dream)}
    assert {one.reviewer for one in made.values()} == {"ada"}
    assert made[changes[1].change_id].reason == "one-off"


def _begin(page: Page, link: str) -> None:
    """From the first page to the first change, with its quotes in their context."""
    page.goto(link)
    assert "token" not in page.url
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")
    page.keyboard.press("j")
    assert focus(page) == "c1"
    page.keyboard.press("c")
    expect(page.locator("#c1 .into .quoted mark").first).to_be_visible()


def _select_the_rest(page: Page, changes: tuple[Change, ...]) -> None:
    """From the third change on: answer the flag, select what is no flag."""
    for number, change in enumerate(changes[3:], 4):
        page.keyboard.press("j")
        assert focus(page) == f"c{number}"
        page.keyboard.press("2" if change.op == "flag" else "x")
        if change.op == "flag":
            page.keyboard.press("k")


def test_everything_of_a_large_dream_is_approved_with_two_keys_a_page(page: Page, home: Home):
    """First page, review, select all, approve, and the same on the page that comes by itself; look, commit."""
    held_changes(home, 30)
    with served(home) as site:
        page.goto(site.link)
        for key in ("j", "Enter"):
            page.keyboard.press(key)
        page.wait_for_url("**/review")
        for key in ("X", "a"):
            page.keyboard.press(key)
        expect(page.locator(":focus")).to_have_id("c26")
        for key in ("X", "a", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("h1")).to_have_text("Before you commit")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("30 changes committed")


def test_the_end_of_a_page_leads_to_the_next_with_what_was_marked(page: Page, home: Home):
    """And back; keys that are switched off do nothing."""
    held_changes(home, 30)
    with served(home) as site:
        page.goto(site.link)
        page.goto(f"{site.url}dreams/drm_many/review")
        for _ in range(25):
            page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.get_by_text("page 2 of 2")).to_be_visible()
        expect(page.locator(":focus")).to_have_id("c26")  # the next key is about the next change
        expect(page.locator("#tally")).to_contain_text("1 of 30 decided")
        page.goto(f"{site.url}help")
        page.get_by_role("button", name="Keys are on").click()
        page.goto(f"{site.url}dreams/drm_many/review")
        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.locator("#tally")).not_to_contain_text("2 of 30")


@pytest.mark.parametrize("is_private", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_link_works_where_it_is_clicked_on_a_page_of_another_site(
    page: Page, home: Home, *, is_private: bool
):
    """A web terminal, a notebook, a chat: a strict cookie does not go along with a redirect that began there."""
    with served(home, is_private=is_private) as site:
        page.route(
            "http://chat.example/",
            lambda route: route.fulfill(body=f'<a href="{site.link}">open</a>', content_type="text/html"),
        )
        page.goto("http://chat.example/")
        page.get_by_role("link", name="open").click()
        page.wait_for_url(site.url)
        page.get_by_text("You decide as ada.").wait_for()


def test_a_text_that_is_too_faint_would_be_found(page: Page, home: Home):
    """The measure of contrast can fail."""
    with served(home) as site:
        page.goto(site.url)
        page.evaluate("document.querySelector('h1').style.color = '#aaa'")
        assert any("<h1" in one for one in faint(page))


def test_without_scripts_the_same_is_done_with_the_mouse(chromium: Browser, home: Home):
    """Radio buttons, fields and buttons of one form."""
    held_changes(home, 3)
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(120_000)
    page = context.new_page()
    with served(home) as site:
        page.goto(site.link)
        page.get_by_role("link", name="Review 3").click()
        first, second = page.locator("#c1"), page.locator("#c2")
        first.get_by_role("radio", name="In my own words").check()
        first.get_by_label("The text it shall have").fill("- Mine")
        second.get_by_role("radio", name="Reject").check()
        second.get_by_label("Why it is rejected").fill("no")
        page.get_by_role("button", name="See what this does").click()
        page.get_by_role("button", name="Change something").click()
        expect(page.locator("#c1").get_by_label("The text it shall have")).to_have_value("- Mine")
        page.get_by_role("button", name="See what this does").click()
        page.get_by_role("button", name="Commit as version 2").click()
        expect(page.get_by_role("status")).to_contain_text("1 change committed. 1 rejected")
    assert "- Mine" in home.state.files("team")["/notes.md"]
    context.close()


def test_nothing_hostile_runs_loads_or_asks(page: Page, home: Home, tmp_path: Path):
    """The browser itself says so: no variable set, no request elsewhere, no dialog, no complaint of the policy."""
    (tmp_path / "work").mkdir()
    make_hostile(home, tmp_path / "work")
    said, asked = watched(page), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    with served(home) as site:
        page.goto(site.link)
        for path in (
            "/", "/dreams/drm_hostile", "/dreams/drm_hostile/review", "/dreams/drm_hostile/changes/2", "/dreams/drm_hostile/refused",
            "/sessions", "/session?id=..%2F%3Ci%3Es%3C%2Fi%3E%3F%26%231", "/jobs/job_bad", "/outcomes/outc_bad", "/stores",
        ):  # fmt: skip
            page.goto(site.url.rstrip("/") + path)
            assert page.evaluate("window.owned") is None, path
        page.goto(f"{site.url}dreams/drm_hostile/review")
        page.keyboard.press("j")
        page.keyboard.press("c")
        expect(page.locator("#c1 .into .turn").first).to_be_visible()
        assert page.evaluate("window.owned") is None
        assert page.locator("#t1").input_value() == f"- {HOSTILE}"
        assert all(url.startswith(site.url) for url in asked)
    assert not said
