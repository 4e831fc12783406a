"""Refutation in a whole dream: over the real SDK, with judges that refuse, fail and answer nonsense."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.change import DreamReport
from agentflows.dream import markdown
from agentflows.dreaming import DreamRequest, SessionFilter, dream_over
from agentflows.errors import EndpointError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply, upholding
from tests.conftest import EXAMPLES
from tests.dreaming.test_rounds import QUOTES, lesson_in

TRIAL = "try to refute this change"
"""What the prompt of a refutation says; asked a second time, it comes without a schema."""
Judge = Callable[[FakeRequest], dict[str, Any] | Reply]


def dreamer(judge: Judge) -> Callable[[FakeRequest], dict[str, Any] | Reply]:
    """A model that learns the example's lessons, adds each as it is, and judges by `judge`."""

    def script(request: FakeRequest) -> dict[str, Any] | Reply:
        if TRIAL in request.text:
            return judge(request)
        wanted: dict[str, Any] = (request.schema or {})["properties"]
        if "observations" in wanted:
            found = [lesson_in(name, text, request.last_text) for name, text in QUOTES.items()]
            return {"observations": [lesson for lesson in found if lesson], "suspicious": []}
        if "pairs" in wanted or "proposals" in wanted:
            return {next(iter(wanted)): []}
        claim = next(line[7:] for line in request.last_text.splitlines() if line.startswith("claim: "))
        place: dict[str, Any] = {"entry_ids": [], "path": "/learned.md", "heading": "Learned"}
        return {"reason": "Seen often.", "op": "add", **place, "after": f"- {claim}", "risks": []}

    return script


def against(request: FakeRequest) -> dict[str, Any]:
    """Every claim contradicted, by words of its source."""
    upheld = upholding(request) or {}
    return {"claims": [{**one, "verdict": "contradicted"} for one in upheld["claims"]]}


def agreeable(request: FakeRequest) -> dict[str, Any]:
    return upholding(request) or {}


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI().script(dreamer(agreeable)) as api:
        yield api


@pytest.fixture
def home(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    settings = {"base_url": fake.url, "api_key": fake.api_key, "deadline_seconds": 5}
    with open_home(tmp_path, **settings) as doors:
        ingest_files(doors, discover(EXAMPLES / "sessions"))
        yield doors


def dream(home: Home) -> DreamReport:
    return dream_over(home, DreamRequest(store="example", engine="claude", sessions=SessionFilter(limit=12)))


def asked(fake: FakeMessagesAPI, words: str) -> int:
    return sum(words in request.text for request in fake.requests)


def test_what_the_judge_upholds_waits_for_review(home: Home):
    """The note says who tried it."""
    report = dream(home)
    assert {change.status for change in report.changes} == {"held"}
    assert any(note.startswith("Tried against their full sources by code and") for note in report.notes)


def test_what_the_judge_refutes_is_refused_and_shown(home: Home, fake: FakeMessagesAPI):
    """With its reason: in the report, in the counts, and not in what waits."""
    fake.script(dreamer(against))
    report = dream(home)
    assert {change.status for change in report.changes} == {"refused"}
    assert report.refused["refuted"] == len(report.changes) > 0
    assert "is contradicted" in markdown(report)
    assert home.state.changes(status="held") == []


NONSENSE: dict[str, dict[str, Any] | Reply] = {
    "absent": {"claims": []},
    "prose": Reply.text("Looks good to me!"),
    "refused": Reply.refusal(),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_no_usable_verdict_is_a_no(home: Home, fake: FakeMessagesAPI, kind: str):
    """Whatever the judge fails to say, it does not say yes."""
    fake.script(dreamer(lambda _: NONSENSE[kind]))
    report = dream(home)
    assert {change.status for change in report.changes} == {"refused"}
    assert {change.status_reason.split(":")[0] for change in report.changes} <= {"unjudged", "model output"}


def test_a_judge_that_cannot_be_reached_ends_the_dream_and_nothing_is_paid_twice(
    home: Home, fake: FakeMessagesAPI
):
    """That is no verdict on any change: the dream fails, and a re-run asks for the verdicts alone."""
    fake.script(dreamer(lambda _: Reply.error(401)))
    with pytest.raises(EndpointError):
        dream(home)
    (failed,) = home.state.dreams()
    assert failed.status == "failed"
    read = asked(fake, "what did this session teach")
    fake.script(dreamer(agreeable))
    report = dream(home)
    assert {change.status for change in report.changes} == {"held"}
    assert asked(fake, "what did this session teach") == read


def test_verdicts_that_were_given_are_not_asked_for_again(home: Home, fake: FakeMessagesAPI):
    """One of two judged, then the endpoint fails: the re-run asks for the other."""
    judged: list[str] = []

    def once(request: FakeRequest) -> dict[str, Any] | Reply:
        judged.append(request.last_text)
        return agreeable(request) if len(judged) == 1 else Reply.error(401)

    home.settings.concurrency = 1
    fake.script(dreamer(once))
    with pytest.raises(EndpointError):
        dream(home)
    fake.script(dreamer(agreeable))
    before = asked(fake, TRIAL)
    report = dream(home)
    assert asked(fake, TRIAL) - before == len(report.changes) - 1


def test_a_change_refused_for_want_of_a_verdict_can_be_upheld_later(home: Home, fake: FakeMessagesAPI):
    """The same dream again asks anew where the answer was unusable, and what is upheld then waits for review."""
    fake.script(dreamer(lambda _: Reply.text("Looks good to me!")))
    first = dream(home)
    fake.script(dreamer(agreeable))
    second = dream(home)
    assert second.dream.dream_id == first.dream.dream_id
    assert {change.status for change in second.changes} == {"held"}


def test_another_model_can_be_the_judge(home: Home, fake: FakeMessagesAPI):
    """A dreamer that was turned does not judge itself."""
    home.settings.judge_model = "claude-opus-4-6"
    report = dream(home)
    models = {str(request.body["model"]) for request in fake.requests if TRIAL in request.text}
    assert models == {"claude-opus-4-6"}
    assert any("code and claude-opus-4-6" in note for note in report.notes)
