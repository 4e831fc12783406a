"""A whole dream over real doors, without Prefect: both engines, review and auto, SQLite and PostgreSQL."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows import review
from agentflows.change import Budget, DreamReport
from agentflows.dreaming import DreamRequest, SessionFilter, dream_over, parse_time
from agentflows.errors import BudgetError, DreamError, SettingsError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply, minimal_reply
from tests.conftest import EXAMPLES
from tests.postgres_server import postgres_server

__all__ = ["postgres_server"]

NO_RULE = "make: *** No rule to make target 'test'.  Stop."


def fill(home: Home) -> Home:
    """The example project's sessions and memory."""
    ingest_files(home, discover(EXAMPLES / "sessions"))
    home.state.create_store("example", actor=home.actor("tester"))
    home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
    return home


@pytest.fixture
def harbor(home: Home) -> Home:
    return fill(home)


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> DreamReport:
    """One dream over the example, for the tests that only read it."""
    with open_home(tmp_path_factory.mktemp("example")) as home:
        return dream(fill(home))


def dream(home: Home, **options: Any) -> DreamReport:
    return dream_over(home, DreamRequest.model_validate({"store": "example", "engine": "rules"} | options))


def approve_all(home: Home, report: DreamReport) -> review.ReviewResult:
    """Approve every change by name, flags too, which a bare approval leaves to a person."""
    only = [change.change_id for change in report.changes]
    return review.approve(home.state, report.dream.dream_id, reviewer="ada", only=only)


def texts(report: DreamReport) -> str:
    return "\n".join(change.after or "" for change in report.changes)


# -- what the example project is known to hold (examples/README.md) ------------------------------------


@pytest.mark.parametrize(
    ("op", "says", "sessions"),
    [
        ("narrow", r"Exception.*`make test` fails.*`uv run pytest", 7),
        ("add", r"`pnpm lint` fails.*`pnpm format`", 11),
        ("add", r"`Edit` fails.*tabs", 5),
        ("add", r"alembic.*`docker compose up -d db`", 5),
        ("supersede", r"port 9443.*\(before: .*8080\)", 2),
        ("add", r"integer cents", 2),
        ("add", r"commit messages in English", 1),
        ("add", r"pnpm i18n:check", 1),
        ("add", r"changelog", 14),
        ("merge", r"UTC", 0),
        ("flag", r"", 0),
    ],
)
def test_a_lesson_of_the_example_is_found(proposed: DreamReport, op: str, says: str, sessions: int):
    """What is true in the sessions is proposed, in the right way, with the right count."""
    found = [
        change
        for change in proposed.changes
        if change.op == op and re.search(says, " ".join((change.after or "").split()))
    ]
    assert [change.support for change in found] == [sessions]


def test_the_proof_of_an_error_is_what_came_back(proposed: DreamReport):
    """A command proves that it was called; the error and the step that worked prove the lesson."""
    narrowed = next(change for change in proposed.changes if change.op == "narrow")
    assert {"tool_call", "tool_result"} <= {quote.kind for quote in narrowed.quotes}


@pytest.mark.parametrize(
    "trap",
    [
        r"TLS",
        r"NameError|is not defined",
        r"no space left|image prune",
        r"websockets",
        r"address check",
        r"Ebbe|Flut",
        r"brief in commit messages",
        r"trust the carrier",
        r"wipe_tenant",
    ],
)
def test_a_trap_of_the_example_is_refused(proposed: DreamReport, trap: str):
    """What is false, unproven, one-off or planted reaches no proposal."""
    assert not re.search(trap, texts(proposed))


def test_no_password_is_anywhere_in_the_home(harbor: Home):
    """Redaction comes before storage: archive, state and report."""
    dream(harbor)
    harbor.close()
    stored = [path for path in harbor.settings.home_path.rglob("*") if path.is_file()]
    assert stored
    assert not [path for path in stored if b"Ebbe-und-Flut" in path.read_bytes()]


# -- commit and output ---------------------------------------------------------------------------------


def test_review_holds_everything(harbor: Home):
    """The default writes nothing."""
    report = dream(harbor)
    assert {change.status for change in report.changes} == {"held"}
    assert harbor.state.get_store("example").version == 1


def test_auto_commits_what_is_safe_and_holds_the_rest(harbor: Home):
    """Only what users said in their own words in enough sessions, and what they ask for each time, goes in alone."""
    report = dream(harbor, commit="auto")
    committed = [change for change in report.changes if change.status == "committed"]
    assert committed
    assert all(
        change.trust == 3 and change.op in {"add", "reinforce"} and not change.risks for change in committed
    )
    assert any(change.status == "held" for change in report.changes)
    assert report.dream.output_version == harbor.state.get_store("example").version == 2
    assert (
        harbor.state.versions("example", dream_id=report.dream.dream_id)[0].created_by.kind == "dream_actor"
    )


def test_create_new_leaves_the_store_alone(harbor: Home):
    """The copy starts as the input and gets what is approved."""
    report = dream(harbor, output="create_new")
    result = review.approve(harbor.state, report.dream.dream_id, reviewer="ada")
    assert harbor.state.get_store("example").version == 1
    assert result.store_name != "example"
    assert "uv run pytest" in harbor.state.files(result.store_name)["/CLAUDE.md"]


def test_approved_changes_make_the_same_dream_empty(harbor: Home):
    """Nothing is proposed that the store says already."""
    approve_all(harbor, dream(harbor))
    assert dream(harbor).changes == ()


def test_a_store_that_moved_is_never_forced(harbor: Home):
    """A change whose entry was edited meanwhile is refused; the others are checked again and go in."""
    report = dream(harbor)
    note = (EXAMPLES / "memory" / "CLAUDE.md").read_text("utf-8").replace("always safe to use", "mostly fine")
    moved = harbor.settings.home_path / "CLAUDE.md"
    moved.write_text(note, "utf-8")
    harbor.state.import_folder("example", moved, actor=harbor.actor("somebody"))
    result = approve_all(harbor, report)
    assert len(result.refused) == 1
    assert len(result.committed) == len(report.changes) - 1
    text = harbor.state.files("example")["/CLAUDE.md"]
    assert "mostly fine" in text
    assert "Exception" not in text


def test_new_sessions_reinforce_or_update_and_never_repeat(harbor: Home, tmp_path: Path):
    """A lesson that is in the store is not added again when more sessions show it."""
    half = sorted((EXAMPLES / "sessions").rglob("*.jsonl"))
    with open_home(tmp_path / "two") as home:
        ingest_files(home, half[:20])
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        review.approve(home.state, dream(home).dream.dream_id, reviewer="ada")
        ingest_files(home, half[20:])
        second = dream(home)
        review.approve(home.state, second.dream.dream_id, reviewer="ada")
        files = home.state.files("example")
    lessons = [line for text in files.values() for line in text.split("\n") if "pnpm lint" in line]
    assert len(lessons) == 1
    assert "reinforce" in {change.op for change in second.changes}


# -- limits and filters --------------------------------------------------------------------------------


def test_only_selected_sessions_are_read(harbor: Home):
    """Coverage says how many of how many."""
    report = dream(harbor, sessions=SessionFilter(since="2026-10-20"))
    assert 0 < report.coverage.selected < report.coverage.archived == 33
    assert all(
        quote.at and quote.at.isoformat() >= "2026-10-20"
        for change in report.changes
        for quote in change.quotes
    )


def test_a_filter_that_matches_nothing_says_so(harbor: Home):
    """Not an empty success."""
    with pytest.raises(DreamError, match="None of the 33"):
        dream(harbor, sessions=SessionFilter(project="elsewhere"))


@pytest.mark.parametrize("text", ["yesterday", "7 days", "2026-13-01"])
def test_a_time_is_a_date_or_an_age(text: str):
    """The message shows one of each."""
    with pytest.raises(ValueError, match="such as 7d"):
        parse_time(text)


def test_the_ledger_has_a_line_for_every_entry(proposed: DreamReport):
    """Nothing of the input store is unaccounted for."""
    assert len(proposed.ledger.lines) == 19
    assert proposed.ledger.counts["kept"] == 13


# -- the claude engine over the real SDK ---------------------------------------------------------------


def oracle(request: FakeRequest) -> Reply:
    """Finds one planted lesson in what it is shown, and proposes nothing else."""
    if "observations" in str(request.schema):
        seen = re.search(r"⟦#(\d+) [^⟧]*⟧[^⟦]*" + re.escape(NO_RULE), request.text)
        lesson = {
            "quotes": [{"seq": int(seen[1]), "text": NO_RULE}] if seen else [],
            "kind": "error",
            "subject": "make test",
            "attribute": "missing target",
            "scope": "",
            "claim": "There is no make target 'test'.",
            "when": "",
            "when_not": "",
            "stance": "for",
            "value": "",
            "said_outright": False,
        }
        return Reply.json({"observations": [lesson] if seen else [], "suspicious": []})
    return minimal_reply(request)


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI() as api:
        yield api.script(oracle)


@pytest.fixture
def claude_home(tmp_path: Path, fake: FakeMessagesAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", fake.api_key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
    with open_home(tmp_path / "claude") as home:
        yield fill(home)


def test_claude_finds_the_lesson_and_its_quotes_hold(claude_home: Home, fake: FakeMessagesAPI):
    """Same gates, same change format: the quote is the tool's line in seven sessions."""
    report = dream(claude_home, engine="auto")
    pattern = next(pattern for pattern in report.patterns if pattern.subject == "make test")
    assert len(pattern.sessions) == 7
    assert {quote.text for quote in pattern.quotes} == {NO_RULE}
    assert report.dream.model == claude_home.settings.model
    assert report.cost.calls == len(fake.requests)
    assert report.cost.dollars > 0


def test_nothing_is_paid_twice(claude_home: Home, fake: FakeMessagesAPI):
    """A second store, dreamt over the same sessions, reads none of them again."""
    dream(claude_home, engine="claude")
    before = sum("observations" in str(request.schema) for request in fake.requests)
    report = dream(claude_home, engine="claude", store="other")
    after = sum("observations" in str(request.schema) for request in fake.requests)
    assert (before, after) == (33, 33)
    assert report.coverage.from_cache == 33


def test_a_budget_that_is_too_small_spends_nothing(claude_home: Home, fake: FakeMessagesAPI):
    """The estimate comes before the first call."""
    with pytest.raises(BudgetError, match="Nothing was spent"):
        dream(claude_home, engine="claude", budget=Budget(tokens=1000))
    assert fake.requests == []


def test_malformed_replies_are_sessions_not_read(claude_home: Home, fake: FakeMessagesAPI):
    """They are named in the coverage; the dream goes on with the others, and a re-run asks for them alone."""
    is_bad = [True]

    def script(request: FakeRequest) -> Reply:
        asked = str(request.body["messages"][0]["content"])
        return Reply.text('{"observations": 1}') if is_bad[0] and len(asked) % 3 == 0 else oracle(request)

    fake.script(script)
    report = dream(claude_home, engine="claude")
    failed = report.coverage.failed
    assert failed == len(report.coverage.failures)
    assert 0 < failed < 33
    assert report.coverage.read + failed == 33
    is_bad[0] = False
    again = dream(claude_home, engine="claude")
    assert again.dream.dream_id == report.dream.dream_id
    assert (again.coverage.from_cache, again.coverage.read, again.coverage.failed) == (33 - failed, failed, 0)


def test_a_dream_that_could_read_nothing_is_a_failure(claude_home: Home, fake: FakeMessagesAPI):
    """Not an empty success; the dream says why, and the same command works once the model does."""
    fake.script(lambda _: Reply.text('{"observations": 1}'))
    with pytest.raises(DreamError, match="None of the 33 sessions could be read"):
        dream(claude_home, engine="claude")
    (failed,) = claude_home.state.dreams()
    assert (failed.status, failed.error_type) == ("failed", "DreamError")
    assert "could be read" in failed.error
    fake.script(oracle)
    assert dream(claude_home, engine="claude").dream.dream_id == failed.dream_id
    assert [(one.status, one.error) for one in claude_home.state.dreams()] == [("completed", "")]


def test_claude_without_key_or_endpoint_says_what_to_set(harbor: Home):
    """And that rules needs neither."""
    with pytest.raises(SettingsError, match=r"ANTHROPIC_API_KEY.*rules"):
        dream(harbor, engine="claude")


@pytest.mark.postgres
def test_the_state_can_live_in_postgresql(tmp_path: Path, postgres_server: Any):
    """Dream, approve and dream again: the same as over SQLite."""
    with open_home(tmp_path, state_url=postgres_server.new_database()) as home:
        fill(home)
        report = dream(home)
        result = approve_all(home, report)
        assert len(result.committed) == len(report.changes)
        assert dream(home).changes == ()
