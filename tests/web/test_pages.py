"""Every page can be read: by whoever follows links, without a mouse, without seeing; and what is not there is said."""

import resource
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from agentflows.dreaming import DreamRequest, DreamRun
from agentflows.errors import StoreError, UsageError
from agentflows.home import Home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.web import create_app
from tests.conftest import EXAMPLES
from tests.web.homes import dream_id
from tests.web.reading import URL, Page, barriers, crawl, dangers


def test_every_link_leads_to_a_page_that_everybody_can_use(reader: TestClient):
    """No dead end, one main heading, landmarks, labels, no jump between headings, nothing from elsewhere."""
    pages = crawl(reader, each=3)
    assert len(pages) > 60
    for link, answer in pages.items():
        assert answer.status_code == 200, link
        if answer.headers["content-type"].startswith("text/html") and not link.startswith("/context"):
            page = Page(answer.text)
            assert not barriers(page), (link, barriers(page))
            assert not dangers(page), (link, dangers(page))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/stores/none", "No memory store is called 'none'. There are: 'example'"),
        ("/stores/example/file?path=/none.md", "It has: /CLAUDE.md, /glossary.md"),
        ("/stores/example/file?path=/CLAUDE.md&version=9", "has no version 9"),
        ("/stores/example/entry?id=nothing", "No entry of 'example' ever was called 'nothing'"),
        ("/stores/example/entry", "lacks `id`"),
        ("/dreams/drm_none", "There is no dream 'drm_none'"),
        ("/dreams/drm_none/review", "There is no dream 'drm_none'"),
        ("/session?id=none", "The archive has no session 'none'"),
        ("/turn?id=none&seq=0", "The archive has no session 'none'"),
        ("/patterns/none", "There is no pattern 'none'. There are: error_signatures"),
        ("/pictures/none.svg?store=example", "There is no picture 'none'. There are: patterns"),
        ("/jobs/job_none", "Expected the id of one job"),
        ("/outcomes/outc_none", "Expected the id of one outcome"),
        ("/nowhere", "There is no such page"),
        ("/static/none.css", "There is no such page"),
    ],
)
def test_what_is_not_there_is_said_with_what_there_is(reader: TestClient, path: str, says: str):
    """A wrong address is a page like any other, and helps."""
    answer = reader.get(path)
    assert answer.status_code == 404
    page = Page(answer.text)
    assert says in page.text
    assert not barriers(page)


@pytest.mark.parametrize(
    "path",
    [
        "/sessions?page=0",
        "/sessions?page=-1",
        "/sessions?page=1e9",
        "/sessions?page=99999999999999999999",
        "/sessions?page=%D9%A1",
        "/sessions?verdict=perhaps",
        "/sessions?since=yesterday",
        "/sessions?since=999999999999d",
        "/stores/example/compare?from=2&to=1",
    ],
)
def test_values_that_cannot_be_are_refused_in_words(reader: TestClient, path: str):
    """Not with a trace, and not by showing something else."""
    answer = reader.get(path)
    assert answer.status_code == 400
    assert "xpected" in answer.text or "neither" in answer.text or "newer" in answer.text


def test_a_page_beyond_the_last_is_empty_and_leads_back(reader: TestClient):
    """A link that was kept while the list shrank."""
    page = Page(reader.get("/sessions?page=1000").text)
    assert "No session matches" in page.text
    assert "/sessions?page=999" in page.links


def test_a_memory_says_since_when_each_entry_stands_and_leads_to_why(reader: TestClient):
    """The reading view keeps the file's own order and headings."""
    page = Page(reader.get("/stores/example/file", params={"path": "/CLAUDE.md"}).text)
    assert "The dashboard uses pnpm" in page.text
    assert (
        page.text.index("Working here")
        < page.text.index("The dashboard uses pnpm")
        < page.text.index("Facts")
    )
    assert "since version 1" in page.text
    assert any(link.startswith("/stores/example/entry?id=") for link in page.links)


def test_the_plain_text_of_a_memory_is_the_file(reader: TestClient, example: Home):
    """For whoever wants its bytes."""
    page = Page(reader.get("/stores/example/file", params={"path": "/CLAUDE.md", "as": "text"}).text)
    assert page.all("pre")[0].text == example.state.files("example")["/CLAUDE.md"]


def test_a_change_shows_its_quotes_among_the_turns_around_them(reader: TestClient, example: Home):
    """With role and trust of each turn, and the quoted words marked."""
    page = Page(reader.get(f"/dreams/{dream_id(example)}/changes/3").text)
    assert page.all("mark")
    assert {"tool answers", "agent calls"} <= {
        one.text.split()[0] + " " + one.text.split()[1]
        for one in page.all("span", class_="role")
        if len(one.text.split()) > 1
    }
    assert "tool, file or page" in page.text
    quoted = [one for one in page.all("article") if "quoted" in one.attributes["class"]]
    assert quoted
    assert len(page.all("article")) > len(quoted)


def test_a_quote_opens_its_session_at_its_turn_with_the_words_marked(reader: TestClient, example: Home):
    """From proof to transcript is one step."""
    quote = example.state.dream(dream_id(example)).changes[0].quotes[0]
    place = {"id": quote.session_id, "at": quote.seq, "start": quote.start, "end": quote.end}
    page = Page(reader.get("/session", params=place).text)
    assert [one.text for one in page.all("mark")] == [quote.text]
    assert any(one.attributes.get("id") == f"t{quote.seq}" for one in page.all("article"))


def test_the_review_of_a_server_that_only_shows_has_nothing_to_press(reader: TestClient, example: Home):
    """And says how to decide."""
    page = Page(reader.get(f"/dreams/{dream_id(example)}/review").text)
    assert [one.attributes.get("id") for one in page.all("form")] == [None]
    assert "agentflows ui --write" in page.text
    assert not page.all("textarea")


def test_the_first_page_leads_straight_to_what_waits(reader: TestClient, example: Home):
    """The reason to come."""
    page = Page(reader.get("/").text)
    assert page.all("h1")[0].text == "13 changes wait for you"
    assert f"/dreams/{dream_id(example)}/review" in page.links


def test_health_is_told_without_a_page(reader: TestClient):
    """For whatever watches the process."""
    answer = reader.get("/healthz")
    assert answer.json() == {"status": "ok"}
    assert answer.headers["cache-control"] == "no-store"


def test_an_empty_home_says_how_to_begin(home: Home):
    """The first thing a stranger sees."""
    from agentflows.web import create_app

    client = TestClient(create_app(home), base_url="http://localhost")
    assert "agentflows demo" in Page(client.get("/").text).text
    for path in (
        "/stores",
        "/dreams",
        "/sessions",
        "/patterns/error_signatures",
        "/jobs",
        "/outcomes",
        "/pictures",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert not barriers(Page(answer.text)), path


def test_a_dream_that_ended_without_a_word_is_shown_as_such_even_on_a_full_disk(own: Home):
    """Its mark is written when a page is read; where nothing can be written, the page is there all the same."""
    ingest_files(own, discover(EXAMPLES / "sessions")[:1])
    client = TestClient(create_app(own), base_url=URL)
    run = DreamRun.start(own, DreamRequest(store="example", engine="rules", support=4))
    assert run.hold
    own.state.release(run.hold.lease)
    with full_disk():
        with pytest.raises(StoreError):
            own.state.fail_abandoned()
        found = [client.get(path).status_code for path in ("/", "/dreams")]
    assert found == [200, 200]
    assert "ended without a word" not in client.get(f"/dreams/{run.dream.dream_id}").text
    client.get("/")
    assert "ended without a word" in client.get(f"/dreams/{run.dream.dream_id}").text
    run.hold.close()


def test_a_change_whose_time_ran_out_waits_no_more_even_on_a_full_disk(own: Home):
    """That it expired need not be written down to be so: every page counts what waits."""
    (one, *_) = own.state.changes(status="held")
    own.state.set_status([one.change_id], "proposed", "to be held anew")
    own.state.set_status([one.change_id], "held", "for no time", held_for=timedelta(0))
    client = TestClient(create_app(own), base_url=URL)
    paths = ("/", "/stores", "/help", "/healthz", f"/dreams/{one.dream_id}", f"/dreams/{one.dream_id}/review")
    with full_disk():
        with pytest.raises(StoreError):
            own.state.decide(one.change_id, "approved", reviewer="ada")
        found = {path: client.get(path) for path in paths}
    assert {answer.status_code for answer in found.values()} == {200}
    assert Page(found["/"].text).all("h1")[0].text == "12 changes wait for you"
    assert "nobody decided until" in found[f"/dreams/{one.dream_id}"].text
    with pytest.raises(UsageError, match="expired"):
        own.state.decide(one.change_id, "approved", reviewer="ada")


@contextmanager
def full_disk() -> Generator[None, None, None]:
    """No file may grow: this stands in for a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
