"""Everything that others write is an attack, and nothing of it acts: on any page, in any field, in any address."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from agentflows.home import Home, open_home
from agentflows.marks import reveal
from agentflows.web.markdown import rendered
from agentflows.web.text import short, shown
from tests.web.homes import HIDDEN, HOSTILE, make_hostile
from tests.web.reading import Page, barriers, crawl, dangers


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home where every text, name and id is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "workspace").mkdir()
    with open_home(folder / "home") as home:
        make_hostile(home, folder / "workspace")
        yield home


def test_no_page_of_a_hostile_home_holds_anything_that_acts(
    hostile: Home, writing: Callable[[Home], TestClient]
):
    """No element, handler, script or address of theirs; no character that hides or turns round what is read."""
    pages = crawl(writing(hostile), each=3)
    kinds = {
        "/session?",
        "/turn?",
        "/context?",
        "/dreams/drm_hostile/review",
        "/dreams/drm_hostile/changes/3",
        "/jobs/job_bad/thread?",
    }
    assert not {kind for kind in kinds if not any(link.startswith(kind) for link in pages)}
    for link, answer in pages.items():
        assert answer.status_code == 200, (link, Page(answer.text).text[-400:])
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = Page(answer.text)
        assert not dangers(page), (link, dangers(page))
        assert link.startswith("/context") or not barriers(page), (link, barriers(page))


def test_what_is_hidden_is_written_out_and_what_is_ours_cannot_be_faked(
    hostile: Home, writing: Callable[[Home], TestClient]
):
    """A mark that the text brings along is shown as the text's own."""
    page = Page(writing(hostile).get("/session", params={"id": "../<i>s</i>?&#1"}).text)
    marks = {one.text for one in page.all("span", class_="hidden")}
    assert {"⟦U+202E⟧", "⟦U+200B⟧", "⟦ansi⟧", "⟦U+2066⟧", "⟦U+27E6⟧", "⟦U+27E7⟧"} == marks
    assert "⟦U+27E6⟧U+0041⟦U+27E7⟧" in page.text


def test_text_that_is_recalled_pasted_or_injected_says_so_where_it_begins(
    hostile: Home, writing: Callable[[Home], TestClient]
):
    """A reader must not take it for the user's own word."""
    page = Page(writing(hostile).get("/session", params={"id": "../<i>s</i>?&#1"}).text)
    first = page.all("article")[0]
    for words in (
        "recalled from a memory: no evidence",
        "pasted: counts as tier 1",
        "put in by the harness: counts as tier 1",
    ):
        assert words in first.text
    assert page.all("span", class_="lesser recalled")[0].text == HOSTILE[2:20]


def test_the_field_of_ones_own_words_gives_back_the_very_text(
    hostile: Home, writing: Callable[[Home], TestClient]
):
    """Editing must not put our marks into the memory; the page shows beside the field what does not show in it."""
    page = Page(writing(hostile).get("/dreams/drm_hostile/review").text)
    assert page.fields()["t-chg_add"] == f"- {HOSTILE}"
    assert "characters that do not show" in page.text


def test_a_rejection_of_hostile_words_is_kept_as_it_was_typed(
    hostile: Home, writing: Callable[[Home], TestClient]
):
    """What travels in hidden fields comes out as it went in."""
    client = writing(hostile)
    fields = Page(client.get("/dreams/drm_hostile/review").text).fields()
    reason = f'"><script>{HIDDEN}</script>'
    marked = fields | {"v-chg_add": "reject", "r-chg_add": reason, "go": "confirm"}
    page = Page(client.post("/dreams/drm_hostile/review", data=marked).text)
    assert "Before you commit" in page.text
    assert not dangers(page)
    assert page.fields()["r-chg_add"] == reason


_WORDS = st.lists(
    st.sampled_from(
        [
            "<", ">", "&", '"', "'", "`", "*", "_", "[", "]", "(", ")", "!", "#", "\n", "\n\n", "    ", "- ", "1. ", "> ", "|", "-|-",
            "<script>", "</p>", "javascript:x", "data:text/html,x", "http://e.example/", "onclick=x", "&#x202e;", "&lt;", "```",
            "<!--", "<a href=x>", "\u202e", "\u200b", "\x1b[2J", "word", "\\", "[a]: x 'y'", "\x00", "⟦", "⟧",
        ]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_WORDS)
def test_no_markdown_becomes_more_than_markdown(text: str):
    """Whatever the parser makes of it, the page holds its words and nothing that acts."""
    page = Page(f"<div>{rendered(text)}</div>")
    assert not dangers(page), (text, dangers(page))


@settings(max_examples=300, deadline=None)
@given(_WORDS)
def test_text_is_shown_whole(text: str):
    """Escaping loses nothing: what is read is what was said, hidden characters written out."""
    page = Page(f"<pre>{shown(text)}</pre>")
    assert page.all("pre")[0].text.replace("\r", "\n") == reveal(text).replace("\r", "\n")
    assert not dangers(page)
    assert len(short(text, 20)) <= 21


def test_a_hostile_name_of_the_home_is_not_on_any_page(tmp_path: Path, writing: Callable[[Home], TestClient]):
    """Pages say nothing of where things lie that a visitor need not know."""
    folder = tmp_path / "<b>home"
    with open_home(folder) as home:
        for path in ("/", "/stores", "/dreams", "/help", "/nowhere"):
            assert "&lt;b&gt;home" not in writing(home).get(path).text
