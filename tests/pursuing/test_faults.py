"""Every fault an endpoint can have, on the writer's and on the grader's side of a whole outcome: none is a success."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from agentflows.agent import AgentDefinition
from agentflows.change import Budget
from agentflows.errors import AgentflowsError
from agentflows.evaluation import Outcome
from agentflows.home import Home, open_home
from agentflows.pursuing import Grading, Limits, pursue
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.pursuing.conftest import verdicts

RUBRIC = "# Notes\n\n- **rain**: The notes name rain.\n"
NAMES = ("rain", "sun", "wind")
RAIN = "It rained in the evening, and the rain went on."
RAINY = ("notes.md", RAIN)
FAULTS: Mapping[str, Reply] = {
    **{
        str(status): Reply.error(status)
        for status in (400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504)
    },
    "529": Reply.overloaded(),
    "529, final": Reply.error(529, should_retry=False),
    "dropped before headers": Reply.drop("before_headers"),
    "dropped after headers": Reply.drop("after_headers"),
    "dropped in the body": Reply.drop("mid_body"),
    "broken JSON": Reply.broken_json(),
    "wrong content type": Reply.wrong_content_type(),
    "refusal": Reply.refusal("cyber"),
    "truncated": Reply.truncated("Done."),
    "no stop reason": Reply.stopped(None, "Done."),
    "unknown stop reason": Reply.stopped("out_of_ink", "Done."),
    "tool_use without a call": Reply.stopped("tool_use", "Done."),
    "context full": Reply.stopped("model_context_window_exceeded", "Done."),
    "too late": Reply.text("Done.").after(20),
}
Side = Literal["first", "last", "grader"]
"""Whose reply is at fault: the writer's first, its last, or the grader's."""

SIDES: Sequence[Side] = ("first", "last", "grader")
ALL: Sequence[tuple[str, Side]] = [(name, side) for name in FAULTS for side in SIDES]
SOME: Sequence[tuple[str, Side]] = [(name, SIDES[1 + number % 2]) for number, name in enumerate(FAULTS)]
"""Each fault once, by turns on the writer's and on the grader's side: the long form tries them everywhere."""


class Endpoint:
    """Answers well but for some replies of one side; counts the good ones."""

    def __init__(self, fault: Reply, side: Side, times: int, words: str = RAIN) -> None:
        self._words = words
        self.left, self._fault, self._side = times, fault, side
        self.has_ended = self.has_graded = False

    def __call__(self, request: FakeRequest) -> Any:
        replies = sum(one["role"] == "assistant" for one in request.body["messages"])
        is_grading = "You are an independent grader" in request.text
        side: Side = "grader" if is_grading else "last" if replies else "first"
        if side == self._side and self.left:
            self.left -= 1
            return self._fault
        if is_grading:
            self.has_graded = True
            return verdicts(rain=("notes.md", self._words))
        if not replies:
            return Reply.tool_use("write", {"path": "notes.md", "content": self._words})
        self.has_ended = True
        return Reply.text("Done.")


@pytest.fixture
def hasty(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    """A home that waits three seconds for a reply, all attempts together."""
    with open_home(
        tmp_path / "home", ANTHROPIC_BASE_URL=fake.url, ANTHROPIC_API_KEY=fake.api_key, deadline_seconds=3
    ) as opened:
        yield opened


def go(home: Home, workspace: Path, **options: Any) -> Outcome | AgentflowsError:
    """The outcome, or the error it is left with. Whatever is not typed comes through and fails the test."""
    agent = AgentDefinition(name="w", prompt="You write.", tools=("write",), sha256="1")
    try:
        return pursue("Notes", rubric=RUBRIC, agent=agent, workspace=workspace, home=home, **options)
    except AgentflowsError as error:
        return error


def wrong(found: Outcome | AgentflowsError, endpoint: Endpoint) -> str:
    """What is claimed without a reply that says so."""
    if isinstance(found, AgentflowsError):
        return "" if "\n" not in str(found) else "an error of several lines"
    if any(one.end == "finished" for one in found.attempts) and not endpoint.has_ended:
        return "the attempt is finished, and the writer never said so"
    if found.result == "satisfied" and not endpoint.has_graded:
        return "satisfied, and no grader said so"
    return ""


def sweep(
    home: Home, fake: FakeMessagesAPI, folder: Path, cases: Sequence[tuple[str, Side]], times: int
) -> tuple[int, list[str], list[str]]:
    """How many were tried, what was wrong, and which did not come to a satisfied end once the fault was over."""
    bad: list[str] = []
    lost: list[str] = []
    for number, (name, side) in enumerate(cases):
        workspace = folder / f"work{number}"
        workspace.mkdir()
        # other words in each: a grading of the same files would be known already
        endpoint = Endpoint(FAULTS[name], side, times, f"{RAIN} {number}")
        fake.script(endpoint)
        found = go(home, workspace)
        if problem := wrong(found, endpoint):
            bad.append(f"{name}, {side}: {problem}")
        endpoint.left = 0
        again = go(home, workspace)
        if isinstance(again, AgentflowsError) or again.result != "satisfied":
            lost.append(
                f"{name}, {side}: {again if isinstance(again, AgentflowsError) else again.stop_reason}"
            )
    return len(cases), bad, lost


# A writer whose first reply is no reply left nothing behind: that is its end, and said to be.
_ENDS = {
    "refusal",
    "truncated",
    "no stop reason",
    "unknown stop reason",
    "tool_use without a call",
    "context full",
}


def test_no_fault_is_a_success_and_none_comes_through_untyped(
    hasty: Home, fake: FakeMessagesAPI, tmp_path: Path
):
    """One faulty reply each; the same command again goes on where there is something to go on with."""
    tried, bad, lost = sweep(hasty, fake, tmp_path, SOME, times=1)
    print(f"OUTCOME_FAULTS tried={tried} scripts={len(FAULTS)} bad={len(bad)}")  # noqa: T201
    assert bad == []
    assert lost == []


@pytest.mark.slow
def test_no_lasting_fault_is_a_success_either(hasty: Home, fake: FakeMessagesAPI, tmp_path: Path):
    """Until all attempts are used up; once the endpoint is well again, so is the outcome."""
    tried, bad, lost = sweep(hasty, fake, tmp_path, ALL, times=10_000)
    print(f"OUTCOME_FAULTS lasting=1 tried={tried} scripts={len(FAULTS)} bad={len(bad)}")  # noqa: T201
    assert bad == []
    assert {one.partition(",")[0] for one in lost} <= _ENDS
    assert all(", first:" in one for one in lost), lost


def test_the_writers_own_ceiling_holds(judged_home: Home, fake: FakeMessagesAPI, workspace: Path):
    """It stops the writer before the call that would pass it, and leaves the grader's money alone."""
    endpoint = Endpoint(Reply.text(""), "first", 0)
    fake.script(endpoint)
    found = go(judged_home, workspace, limits=Limits(writer=Budget(tokens=10)))
    assert isinstance(found, Outcome)
    assert (found.result, found.stop_reason, found.attempts) == ("stopped", "budget", ())
    assert found.is_at_budget
    assert "writer" in found.explanation
    assert fake.requests == []
    more = go(judged_home, workspace, limits=Limits(writer=Budget(tokens=100_000), grader=Budget(tokens=0)))
    assert isinstance(more, Outcome)
    assert (more.result, more.stop_reason, len(more.attempts)) == ("stopped", "budget", 1)
    spent = judged_home.state.spent(f"outcome:{more.outcome_id}/writer")
    assert 0 < spent.usage.total <= 100_000
    assert not endpoint.has_graded
    assert more.outcome_id == found.outcome_id


@pytest.mark.parametrize("grading", [Grading(panel=3), Grading(calls="each")], ids=["panel", "one call each"])
def test_a_grading_that_dies_midway_pays_for_no_reply_twice(
    judged_home: Home, fake: FakeMessagesAPI, workspace: Path, grading: Grading
):
    """Each grader's reply is kept when it comes: the next process asks for those that are missing."""
    rubric = "# Notes\n\n" + "".join(
        f"- **{one}**: The notes name {one}.\n" for one in ("rain", "sun", "wind")
    )
    agent = AgentDefinition(name="w", prompt="You write.", tools=("write",), sha256="1")
    died: list[int] = []

    def answer(request: FakeRequest) -> Any:
        if "You are an independent grader" not in request.text:
            replies = sum(one["role"] == "assistant" for one in request.body["messages"])
            write = Reply.tool_use("write", {"path": "notes.md", "content": RAIN})
            return Reply.text("Done.") if replies else write
        graded.append(request.number)
        if len(graded) - len(died) == len(died) + 2 and len(died) < 2:
            died.append(request.number)
            return Reply.error(401)
        criteria = [
            one for one in NAMES if f"**{one}**" in request.last_text or f" {one}." in request.last_text
        ]
        return verdicts(**dict.fromkeys(criteria, RAINY))

    graded: list[int] = []
    fake.script(answer)
    found: Outcome | AgentflowsError | None = None
    for _ in range(3):
        try:
            found = pursue(
                "Notes", rubric=rubric, agent=agent, workspace=workspace, home=judged_home, grading=grading
            )
        except AgentflowsError as error:
            found = error
    assert isinstance(found, Outcome)
    assert found.result == "satisfied"
    assert len(graded) == 3 + len(died), (
        "three replies are needed, and only those that failed were asked again"
    )
    assert len(fake.requests) == 2 + len(graded)
    assert len(died) == 2
