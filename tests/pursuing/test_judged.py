"""A writer and a grader behind the real client, over a real connection: who sees what, who pays, what breaks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition
from agentflows.change import Budget
from agentflows.errors import EndpointError
from agentflows.evaluation import Outcome
from agentflows.home import Home
from agentflows.pursuing import Grading, Limits, begin, go_on, make_request, pursue
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.pursuing.conftest import verdicts

RUBRIC = "# Notes\n\n- **rain**: The notes name rain.\n- **sun**: The notes name sun.\n"
CANARIES = {
    "prompt": "canary-prompt-7f1e",
    "thought": "canary-thought-2b9c",
    "words": "canary-words-55ad",
    "tool": "canary-tool-c0de",
    "memory": "canary-memory-91ab",
    "untouched": "canary-untouched-4d4d",
}
SUNNY = ("notes.md", "There was sun all day.")
RAINY = ("notes.md", "It rained in the evening, and the rain went on.")


def writing(text: str) -> list[Reply]:
    """A writer that thinks, reads, writes and says something: four replies."""
    return [
        Reply.tool_use("read", {"path": "mine.txt"}, text=CANARIES["thought"]),
        Reply.tool_use("read", {"path": "notes.md"}),
        Reply.tool_use("write", {"path": "notes.md", "content": text}, text=CANARIES["tool"]),
        Reply.text(CANARIES["words"]),
    ]


@pytest.fixture
def writer() -> AgentDefinition:
    """Without a shell: these tests need no sandbox."""
    return AgentDefinition(
        name="writer",
        prompt=f"You write. {CANARIES['prompt']}",
        tools=("read", "write", "edit"),
        memory="team",
        sha256="1",
    )


@pytest.fixture
def go(
    judged_home: Home, workspace: Path, writer: AgentDefinition, tmp_path: Path, fake: FakeMessagesAPI
) -> Callable[..., Outcome]:
    """Pursues the notes; the replies of the writer and of the grader, each in turn."""
    (workspace / "mine.txt").write_text(CANARIES["untouched"])
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "a.md").write_text(f"- {CANARIES['memory']}\n")
    judged_home.state.create_store("team", actor=judged_home.actor("ada"))
    judged_home.state.import_folder("team", folder, actor=judged_home.actor("ada"))

    def start(writes: list[Reply], grades: list[Any], **options: Any) -> Outcome:
        def script(request: FakeRequest) -> Any:
            return (grades if is_grading(request) else writes).pop(0)

        fake.script(script)
        return pursue(
            "Write notes", rubric=RUBRIC, agent=writer, workspace=workspace, home=judged_home, **options
        )

    return start


def is_grading(request: FakeRequest) -> bool:
    return "You are an independent grader" in request.text


def open_sockets() -> int:
    """Of this process, the endpoint's own among them."""
    return sum(one.is_socket() for one in Path("/proc/self/fd").iterdir() if one.exists())


def gradings(fake: FakeMessagesAPI) -> list[FakeRequest]:
    return [request for request in fake.requests if is_grading(request)]


def test_no_byte_of_the_writers_side_reaches_the_grader(go: Callable[..., Outcome], fake: FakeMessagesAPI):
    """Neither its prompt nor its memory, thoughts, words, tool calls, feedback, nor files it left alone."""
    found = go(
        [*writing(SUNNY[1]), *writing(f"{SUNNY[1]}\n{RAINY[1]}")],
        [verdicts(rain="Name rain. canary-feedback-e1e1", sun=SUNNY), verdicts(rain=RAINY, sun=SUNNY)],
    )
    assert (found.result, found.revisions) == ("satisfied", 1)
    asked = gradings(fake)
    assert len(asked) == 2
    for request in asked:
        whole = json.dumps(request.body, ensure_ascii=False) + json.dumps(request.headers)
        assert [name for name, canary in CANARIES.items() if canary in whole] == []
        assert "canary-feedback" not in whole
    writers = [json.dumps(request.body) for request in fake.requests if not is_grading(request)]
    assert all(any(canary in one for one in writers) for canary in CANARIES.values())
    assert any("canary-feedback" in one for one in writers)
    assert RAINY[1] in asked[1].text


def test_writer_and_grader_are_counted_apart_and_together(go: Callable[..., Outcome], judged_home: Home):
    """Each in its own purse, both in the outcome's, and the sums agree."""
    found = go(writing(f"{SUNNY[1]}\n{RAINY[1]}"), [verdicts(rain=RAINY, sun=SUNNY)])
    level = f"outcome:{found.outcome_id}"
    spent = {part: judged_home.state.spent(f"{level}{part}") for part in ("", "/writer", "/grader")}
    assert (spent[""].calls, spent["/writer"].calls, spent["/grader"].calls) == (5, 4, 1)
    assert found.attempts[0].usage == spent["/writer"].usage
    assert found.evaluations[0].usage == spent["/grader"].usage
    assert found.dollars == pytest.approx(spent[""].dollars)
    assert found.dollars > 0


@pytest.mark.parametrize(
    ("limits", "attempts"),
    [
        (Limits(outcome=Budget(tokens=10)), 1),
        (Limits(grader=Budget(tokens=10)), 1),
        (Limits(grader=Budget(dollars=0.000001)), 1),
    ],
)
def test_a_ceiling_stops_before_the_call_that_would_pass_it(
    go: Callable[..., Outcome], limits: Limits, attempts: int, fake: FakeMessagesAPI
):
    """Nothing is asked that cannot be paid, and a higher ceiling goes on."""
    found = go(writing(SUNNY[1]), [], limits=limits)
    assert (found.result, found.stop_reason, found.is_at_budget) == ("stopped", "budget", True)
    assert len(found.attempts) <= attempts
    assert gradings(fake) == []
    more = go(writing(f"{SUNNY[1]}\n{RAINY[1]}"), [verdicts(rain=RAINY, sun=SUNNY)] * 2)
    assert (more.outcome_id, more.is_at_budget) == (found.outcome_id, False)
    assert more.evaluations != ()


@pytest.mark.parametrize(
    "broken",
    [Reply.text("no json at all"), Reply.refusal(), Reply.truncated('{"reads": ['), Reply.broken_json()],
    ids=["no json", "refusal", "truncated", "broken"],
)
def test_a_grader_that_cannot_be_read_is_an_error_and_the_next_run_grades_the_same_attempt(
    go: Callable[..., Outcome], broken: Reply, fake: FakeMessagesAPI
):
    """Bounded askings, never a score; and the writer is not asked again."""
    found = go(writing(f"{SUNNY[1]}\n{RAINY[1]}"), [broken] * 40)
    assert (found.result, found.evaluations[0].result, found.best_iteration) == (
        "grader_error",
        "grader_error",
        None,
    )
    assert len(gradings(fake)) <= 12
    again = go([], [verdicts(rain=RAINY, sun=SUNNY)])
    assert (again.outcome_id, again.result, len(again.attempts)) == (found.outcome_id, "satisfied", 1)


def test_a_reply_that_leaves_a_criterion_out_is_asked_for_anew_each_time(
    go: Callable[..., Outcome], fake: FakeMessagesAPI
):
    """It fits the schema and says nothing, so it is not remembered: not for the third asking, nor for the next run."""
    found = go(writing(f"{SUNNY[1]}\n{RAINY[1]}"), [verdicts(rain=RAINY)] * 3)
    assert (found.result, "`sun` is missing" in found.evaluations[0].error) == ("grader_error", True)
    assert len(gradings(fake)) == 3
    again = go([], [verdicts(rain=RAINY), verdicts(rain=RAINY, sun=SUNNY)])
    assert (again.outcome_id, again.result, len(again.attempts)) == (found.outcome_id, "satisfied", 1)
    assert len(gradings(fake)) == 5


def test_a_grading_leaves_no_connection_open(go: Callable[..., Outcome], fake: FakeMessagesAPI):
    """A job of hundreds of graded threads would run out of descriptors before its home is closed."""
    go(writing(SUNNY[1]), [verdicts(rain="Name rain.", sun=SUNNY)], max_iterations=0, key="0")
    before = open_sockets()
    for number in range(1, 7):
        text = f"{SUNNY[1]}\n{number}"
        go(writing(text), [verdicts(rain="Name rain.", sun=SUNNY)], max_iterations=0, key=str(number))
    assert len(gradings(fake)) == 7
    assert open_sockets() <= before + 2


def test_a_model_for_the_grader_and_a_panel(go: Callable[..., Outcome], fake: FakeMessagesAPI):
    """Another model judges, and the majority decides with its votes on record."""
    yes, no = verdicts(rain=RAINY, sun=SUNNY), verdicts(rain="Name it.", sun=SUNNY)
    found = go(
        writing(f"{SUNNY[1]}\n{RAINY[1]}"), [yes, no, yes], grading=Grading(model="claude-opus-4-8", panel=3)
    )
    assert found.result == "satisfied"
    assert found.evaluations[0].criteria[0].votes == ("met", "unmet", "met")
    assert {request.model for request in gradings(fake)} == {"claude-opus-4-8"}


def test_a_secret_in_a_deliverable_is_not_sent_or_kept(
    go: Callable[..., Outcome], fake: FakeMessagesAPI, judged_home: Home
):
    """The grader and the record see a placeholder; e-mail addresses, which may be the point, are sent."""
    token = "ghp_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"
    line = f"Contact ada@example.org, rain or sun, with the token {token}."
    go(
        writing(line),
        [verdicts(rain=("notes.md", "Contact ada@example.org, rain or sun"), sun="Name it.")] * 4,
        max_iterations=0,
    )
    asked = gradings(fake)[0].text
    assert token not in asked
    assert "ada@example.org" in asked
    assert token not in judged_home.state.outcomes()[0].model_dump_json()


def test_a_refused_endpoint_leaves_the_outcome_to_be_gone_on_with(
    judged_home: Home, workspace: Path, writer: AgentDefinition, fake: FakeMessagesAPI
):
    """The attempt is kept; a re-run only grades."""
    request = make_request(
        "Write notes", rubric=RUBRIC, agent=writer.model_copy(update={"memory": ""}), workspace=workspace
    )
    writes = writing(f"{SUNNY[1]}\n{RAINY[1]}")
    fake.script(lambda one: Reply.error(401) if is_grading(one) else writes.pop(0))
    with begin(judged_home, request) as run:
        assert go_on(run).result == "grader_error"
    fake.script(lambda _: verdicts(rain=RAINY, sun=SUNNY))
    with begin(judged_home, request) as run:
        assert go_on(run).result == "satisfied"


def test_an_endpoint_that_is_down_midway_ends_no_attempt(
    judged_home: Home, workspace: Path, writer: AgentDefinition, fake: FakeMessagesAPI
):
    """The night's run says why and the next goes on in the same conversation: no reply is asked for twice."""
    request = make_request(
        "Write notes", rubric=RUBRIC, agent=writer.model_copy(update={"memory": ""}), workspace=workspace
    )
    writes: list[Reply] = writing(f"{SUNNY[1]}\n{RAINY[1]}")
    replies = [*writes[:2], Reply.error(401)]
    fake.script(lambda _: replies.pop(0))
    with begin(judged_home, request) as run, pytest.raises(EndpointError):
        go_on(run)
    (stands,) = judged_home.state.outcomes()
    assert (stands.result, stands.attempts) == ("running", ())
    rest = writes[2:]
    fake.script(lambda one: verdicts(rain=RAINY, sun=SUNNY) if is_grading(one) else rest.pop(0))
    with begin(judged_home, request) as run:
        found = go_on(run)
    assert (found.outcome_id, found.result, len(found.attempts)) == (stands.outcome_id, "satisfied", 1)
    assert len([one for one in fake.requests if not is_grading(one)]) == 5
