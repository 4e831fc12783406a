"""Endpoints and budgets that fail, and models that answer nonsense: a dream says why it failed, and can be run again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.change import Budget, DreamReport
from agentflows.dreaming import DreamRequest, SessionFilter, dream_over
from agentflows.errors import AgentflowsError, BudgetError, DreamError, EndpointError
from agentflows.home import Home, open_home
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.badinput.command import run
from tests.crash.answers import ASKED, answer

Server = dict[str, str]
QUICK = {"AGENTFLOWS_DEADLINE_SECONDS": "10"}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMessagesAPI]:
    """An endpoint that answers well until a test says otherwise, and the settings that name it."""
    monkeypatch.setenv(ASKED, str(tmp_path / "asked"))
    with FakeMessagesAPI() as api:
        for name, value in variables(api).items():
            monkeypatch.setenv(name, value)
        yield api.script(answer)


def variables(api: FakeMessagesAPI) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": api.api_key, "ANTHROPIC_BASE_URL": api.url, **QUICK}


@pytest.fixture
def doors(folder: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    with open_home(folder) as home:
        yield home


def dream(home: Home, **options: Any) -> DreamReport:
    return dream_over(home, DreamRequest.model_validate({"store": "example", "engine": "claude"} | options))


def fails(home: Home, kind: type[AgentflowsError], says: str, **options: Any) -> None:
    """The dream raises this, is recorded as failed with its words, and writes nothing."""
    with pytest.raises(kind, match=says) as raised:
        dream(home, **options)
    assert "\n" not in str(raised.value)
    failed = home.state.dreams()[-1]
    assert (failed.status, failed.error_type) == ("failed", kind.__name__)
    assert failed.error == str(raised.value)
    assert home.state.get_store("example").version == 1


def asks_for(request: FakeRequest) -> str:
    """Which of the four questions it is: `observations`, `pairs`, `after` or `proposals`."""
    return min((request.schema or {"properties": {"none": {}}})["properties"])


def spoilt(question: str, reply: Reply) -> Callable[[FakeRequest], Any]:
    """A script that answers one kind of question badly."""
    return lambda request: reply if asks_for(request) == question else answer(request)


# -- the endpoint ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply.error(401), "authentication.*Check ANTHROPIC_API_KEY"),
        pytest.param(Reply.error(403), "permission.*what the key is allowed", marks=pytest.mark.slow),
        pytest.param(Reply.error(404), "not_found.*AGENTFLOWS_MODEL", marks=pytest.mark.slow),
        pytest.param(
            Reply.error(500, should_retry=False), "server_error.*Try again later", marks=pytest.mark.slow
        ),
        (Reply.wrong_content_type(), "ANTHROPIC_BASE_URL"),
    ],
    ids=["401", "403", "404", "500", "a web page"],
)
def test_an_endpoint_that_refuses_fails_the_dream(
    folder: Path, fake: FakeMessagesAPI, reply: Reply, says: str
):
    """In one line with what to check; once it answers, the same command goes on from where it was."""
    fake.script(lambda request: answer(request) if request.number <= 5 else reply)
    with open_home(folder) as home:
        fails(home, EndpointError, says)
    fake.script(answer)
    with open_home(
        folder
    ) as home:  # another process: one that goes on leaves the endpoint alone for half a minute
        report = dream(home)
    assert (report.dream.status, report.dream.error, report.coverage.failed) == ("completed", "", 0)
    bodies = [json.dumps(request.body["messages"]) for request in fake.requests]
    assert not set(bodies[:5]) & set(bodies[5:]), "what was answered was asked again"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "unreachable.*Check that the server runs"),
        ("no url", "Set ANTHROPIC_BASE_URL"),
        pytest.param("http://no.such.host.invalid", "unreachable", marks=pytest.mark.slow),
    ],
)
def test_an_endpoint_that_is_not_there_fails_the_dream(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, says: str
):
    """The message names the address that was tried."""
    for name, value in {**QUICK, "ANTHROPIC_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    with open_home(folder) as home:
        fails(home, EndpointError, says, sessions=SessionFilter(limit=1))
        assert url in home.state.dreams()[-1].error


@pytest.mark.prefect
def test_an_endpoint_that_fails_is_one_line_on_the_command_line(
    folder: Path, fake: FakeMessagesAPI, server: Server
):
    """Errors of a flow reach the terminal as they were raised, and as JSON for programs."""
    fake.script(lambda _: Reply.error(401))
    words = ["dream", "--store", "example", "--engine", "claude"]
    done = run(folder, *words, "--json", variables=variables(fake) | server)
    done.failed(1, "ANTHROPIC_API_KEY")
    assert json.loads(done.out)["error"]["type"] == "EndpointError"
    assert "failed" in run(folder, "review", "list", "--all").out
    fake.script(answer)
    assert run(folder, *words, variables=variables(fake) | server).code == 3


# -- the budget -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(tokens=1_000), r"may take up to [\d,]+ tokens; the budget is 1,000\."),
        (Budget(dollars=0.001), r"may take up to \$[\d.]+; the budget is \$0\.001\."),
        (Budget(dollars=0), "the budget is"),
    ],
)
def test_a_budget_below_the_estimate_spends_nothing(
    doors: Home, fake: FakeMessagesAPI, budget: Budget, says: str
):
    """Said before the first question, with both numbers."""
    with pytest.raises(BudgetError, match=says + ".*Nothing was spent"):
        dream(doors, budget=budget)
    assert fake.requests == []
    assert [one.status for one in doors.state.dreams()] == ["completed"], "no dream was begun"


def test_a_budget_that_ends_midway_stops_the_dream_and_a_larger_one_finishes_it(
    doors: Home, fake: FakeMessagesAPI
):
    """A call that might cost more than is left is not begun; nothing is lost, and nothing asked twice."""
    sessions = SessionFilter(limit=4)
    fails(doors, BudgetError, "Raise the budget", budget=Budget(tokens=10_000), sessions=sessions)
    _finished(doors, fake, sessions)


def test_a_budget_smaller_than_the_sessions_reads_what_fits_and_a_larger_one_the_rest(
    doors: Home, fake: FakeMessagesAPI
):
    """What was answered was paid for once; the later dream pays only for what is left."""
    sessions = SessionFilter(limit=4)
    part = dream(doors, budget=Budget(tokens=15_000), sessions=sessions)
    assert part.cost.usage.total <= 15_000
    assert (part.coverage.read + part.coverage.unread, part.coverage.unread > 0) == (4, True)
    _finished(doors, fake, sessions)


def _finished(doors: Home, fake: FakeMessagesAPI, sessions: SessionFilter) -> None:
    asked = len(fake.requests)
    for _ in range(2):  # what broke off is finished first, as it was begun; what it left is the next dream's
        before = len(fake.requests)
        report = dream(doors, budget=Budget(tokens=10_000_000), sessions=sessions)
        assert report.dream.status == "completed"
        assert report.cost.calls == len(fake.requests) - before
        if not report.coverage.unread:
            break
    else:
        pytest.fail("sessions are left unread")
    bodies = [json.dumps(request.body["messages"]) for request in fake.requests]
    assert len(bodies) == len(set(bodies)), "a question was asked twice"
    assert len(fake.requests) > asked


def test_a_budget_in_dollars_needs_a_price(doors: Home, fake: FakeMessagesAPI):
    """A ceiling that cannot be held is refused, not ignored."""
    with pytest.raises(BudgetError, match="AGENTFLOWS_PRICES"):
        dream(doors, budget=Budget(dollars=5), model="my-model")
    assert fake.requests == []


# -- the answers ------------------------------------------------------------------------------------------

NONSENSE = {
    "off schema": Reply.text('{"x": 1}'),
    "cut off": Reply.truncated('{"observations": ['),
    "refused": Reply.refusal(),
    "chatter": Reply.text("I would rather talk about the weather."),
}


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(reply, id=name, marks=[] if name in {"off schema", "chatter"} else pytest.mark.slow)
        for name, reply in NONSENSE.items()
    ],
)
def test_a_model_that_only_talks_nonsense_fails_the_dream(doors: Home, fake: FakeMessagesAPI, reply: Reply):
    """A dream in which nothing was read is a failure, not an empty success."""
    fake.script(lambda _: reply)
    fails(doors, DreamError, "None of the 33 sessions could be read")
    fake.script(answer)
    with open_home(doors.settings.home_path) as again:
        assert dream(again).coverage.failed == 0


@pytest.mark.parametrize(
    "reply",
    [
        NONSENSE["off schema"],
        *(pytest.param(NONSENSE[kind], marks=pytest.mark.slow) for kind in ("cut off", "refused")),
    ],
)
def test_a_session_that_gets_no_usable_answer_counts_as_failed(
    doors: Home, fake: FakeMessagesAPI, reply: Reply
):
    """It is named in the coverage with the reason; the others are read, and a re-run asks for it alone."""
    fake.script(lambda request: reply if "409 when a parcel" in request.text else answer(request))
    report = dream(doors)
    assert (report.dream.status, report.coverage.failed, report.coverage.read) == ("completed", 1, 32)
    (why,) = report.coverage.failures
    assert why.partition(":")[0] in report.dream.session_ids
    fake.script(answer)
    before = len(fake.requests)
    again = dream(doors)
    assert (again.coverage.failed, again.coverage.from_cache, again.coverage.read) == (0, 32, 1)
    assert sum(asks_for(request) == "observations" for request in fake.requests[before:]) == 1


@pytest.mark.parametrize("question", ["pairs", "after", "proposals"])
@pytest.mark.parametrize(
    "kind", ["off schema", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("cut off", "refused"))]
)
def test_a_judgement_that_cannot_be_used_is_counted_and_the_dream_goes_on(
    doors: Home, fake: FakeMessagesAPI, question: str, kind: str
):
    """Nothing is proposed from it, the report says so, and everything else is as it would have been."""
    fake.script(spoilt(question, NONSENSE[kind]))
    report = dream(doors)
    assert report.dream.status == "completed"
    gates = [one.gate for one in report.refusals]
    assert {"model_output", "no_verdict"} & set(gates)
    assert report.changes if question != "after" else all(change.op == "flag" for change in report.changes)


# -- what a failed dream leaves behind --------------------------------------------------------------------

STEPS = ["mined", "recalled", "batch.1", "checked", "clustered", "proposed", "verified"]
SHORT = {("rules", "mined"), ("rules", "verified"), ("claude", "batch.1"), ("claude", "proposed")}


@pytest.mark.parametrize(
    ("engine", "step"),
    [
        pytest.param(engine, step, marks=[] if (engine, step) in SHORT else pytest.mark.slow)
        for engine in ("rules", "claude")
        for step in STEPS
        if (engine, step) != ("rules", "batch.1")
    ],
)
def test_a_dream_that_fails_at_any_step_says_so_and_works_when_run_again(
    doors: Home, fake: FakeMessagesAPI, monkeypatch: pytest.MonkeyPatch, engine: str, step: str
):
    """Failed with its error on record; then completed, under the same id, without an error."""
    options = {"engine": engine, "support": 3}
    monkeypatch.setenv("AGENTFLOWS_FAILPOINT", f"dream.{step}:raise")
    with pytest.raises(AgentflowsError, match=f"dream.{step}"):
        dream(doors, **options)
    failed = doors.state.dreams()[-1]
    assert (failed.status, failed.error_type) == ("failed", "StoreError")
    assert f"dream.{step}" in failed.error
    monkeypatch.delenv("AGENTFLOWS_FAILPOINT")
    report = dream(doors, **options)
    assert (report.dream.dream_id, report.dream.status, report.dream.error) == (
        failed.dream_id,
        "completed",
        "",
    )


def test_a_failed_rerun_takes_nothing_from_the_dream_that_was(
    doors: Home, fake: FakeMessagesAPI, monkeypatch: pytest.MonkeyPatch
):
    """What waits for review from the first run still waits when asking again for one session fails."""
    fake.script(
        lambda request: NONSENSE["off schema"] if "409 when a parcel" in request.text else answer(request)
    )
    report = dream(doors)
    monkeypatch.setenv("AGENTFLOWS_FAILPOINT", "dream.proposed:raise")
    with pytest.raises(AgentflowsError):
        dream(doors)
    assert doors.state.dream(report.dream.dream_id) == report


@pytest.mark.prefect
@pytest.mark.slow
def test_a_flow_that_fails_marks_the_dream_and_can_be_run_again(folder: Path, server: Server):
    """The same through Prefect and the command line."""
    words = ["dream", "--store", "example", "--support", "3"]
    done = run(folder, *words, variables={"AGENTFLOWS_FAILPOINT": "dream.verified:raise"} | server)
    done.failed(1, "dream.verified")
    with open_home(folder) as home:
        failed = home.state.dreams()[-1]
        assert (failed.status, failed.error) == ("failed", done.error)
    assert run(folder, *words, variables=server).code == 3
    with open_home(folder) as home:
        assert home.state.dreams()[-1].status == "completed"
